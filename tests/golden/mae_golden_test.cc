// MAE as transformers computes it (make_mae_golden.py): encoder, prediction, loss and every gradient, in float32.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "model/testing/vit_spec.h"
#include "model/weights.h"
#include "objective/objective.h"

namespace mimeo {
namespace {

constexpr int kVisible = 4;
constexpr double kTolerance = 1e-5;  // of a tensor's largest entry

JobSpec Spec() {
  JobSpec spec;
  *spec.mutable_data() = testing::PlainData(32);
  *spec.mutable_encoder()->mutable_vit() = testing::PlainVit(/*patch_px=*/8, /*width=*/24, /*depth=*/2, /*heads=*/3);
  ObjectiveSpec* objective = spec.add_objective();
  objective->set_name("pixels"), objective->set_weight(1);
  ReconstructionSpec* pixels = objective->mutable_reconstruction();
  pixels->set_decoder_width(16), pixels->set_decoder_depth(2), pixels->set_decoder_heads(2),
      pixels->set_normalize_patches(true);
  return spec;
}

// The names under which transformers saved one of our parameters; query, key and value are three to our one.
std::vector<std::string> SavedNames(const std::string& parameter) {
  const std::string name =
      absl::StrReplaceAll(parameter, {{"encoder.blocks.", "vit.encoder.layer."},
                                      {"encoder.norm.", "vit.layernorm."},
                                      {"encoder.cls_token", "vit.embeddings.cls_token"},
                                      {"encoder.patch_embed.proj.", "vit.embeddings.patch_embeddings.projection."},
                                      {"objective.pixels.decoder_blocks.", "decoder.decoder_encoder.layer."},
                                      {"objective.pixels.", "decoder."},
                                      {".norm1.", ".layernorm_before."},
                                      {".norm2.", ".layernorm_after."},
                                      {".attn.proj.", ".attention.output.dense."},
                                      {".mlp.fc1.", ".intermediate.dense."},
                                      {".mlp.fc2.", ".output.dense."}});
  if (!absl::StrContains(name, ".attn.qkv.")) return {name};
  std::vector<std::string> names;
  for (const char* part : {"query", "key", "value"}) {
    names.push_back(absl::StrReplaceAll(name, {{".attn.qkv.", absl::StrCat(".attention.attention.", part, ".")}}));
  }
  return names;
}

class MaeGoldenTest : public ::testing::Test {
 protected:
  MaeGoldenTest()
      : file_(SafetensorsFile::Open("tests/golden/mae_tiny.safetensors").value()),
        golden_(ReadTensors(file_->view()).value()) {}

  at::Tensor Golden(const std::string& kind, const std::string& parameter) const {
    std::vector<at::Tensor> parts;
    for (const std::string& name : SavedNames(parameter)) parts.push_back(golden_.at(absl::StrCat(kind, "/", name)));
    return at::cat(parts);
  }

  MaskPlan Plan() const {
    const at::Tensor order = golden_.at("ids_shuffle");
    return {std::get<0>(order.slice(1, 0, kVisible).sort(1)), std::get<0>(order.slice(1, kVisible).sort(1))};
  }

  void ExpectEqual(const at::Tensor& got, const at::Tensor& want, const std::string& what) const {
    ASSERT_EQ(got.sizes(), want.sizes()) << what;
    const double error = (got - want).abs().max().item<double>(), scale = want.abs().max().item<double>();
    EXPECT_LE(error, kTolerance * scale) << what << ", largest entry " << scale;
  }

  std::unique_ptr<SafetensorsFile> file_;
  NamedTensors golden_;
};

TEST_F(MaeGoldenTest, ForwardLossAndEveryGradient) {
  Parameters parameters(0);
  const std::unique_ptr<Encoder> encoder = MakeEncoder(Spec().encoder(), {3, 32, 32}, &parameters);
  const auto objectives = ObjectiveSum::Create(Spec(), *encoder, {}, &parameters).value();
  for (const auto& [name, parameter] : parameters.all()) {
    const at::NoGradGuard no_grad;
    ASSERT_EQ(parameter.numel(), Golden("weight", name).numel()) << name;
    parameter.copy_(Golden("weight", name).view_as(parameter));
  }

  ForwardPass pass;
  ViewInput view;
  view.images_BCHW = golden_.at("images"), view.plan = Plan();
  pass.views.push_back(view);
  pass.encodings.push_back(encoder->Encode(pass.views[0].images_BCHW, pass.views[0].plan));
  const at::Tensor predicted = objectives->pixel_decoder()->Predict(pass.encodings[0], pass.views[0].plan);
  const ObjectiveSum::Result result = objectives->Compute(pass);
  result.total.backward();

  ExpectEqual(pass.encodings[0].class_BD, golden_.at("latent").select(1, 0), "class token");
  ExpectEqual(pass.encodings[0].visible_BKD, golden_.at("latent").slice(1, 1), "visible tokens");
  ExpectEqual(predicted, TakePatches(golden_.at("prediction"), pass.views[0].plan.hidden_BM), "prediction");
  ExpectEqual(result.total, golden_.at("loss"), "loss");
  for (const auto& [name, parameter] : parameters.all()) {
    ExpectEqual(parameter.grad(), Golden("gradient", name).view_as(parameter), name);
  }
}

TEST_F(MaeGoldenTest, TheSavedFileLoadsAsAnEncoder) {
  const TempDir dir;
  NamedTensors weights;
  for (const auto& [key, tensor] : golden_) {
    if (absl::StartsWith(key, "weight/")) weights.emplace(key.substr(7), tensor);
  }
  ASSERT_TRUE(WriteSafetensors(JoinPath(dir.path(), "model.safetensors"), weights, {{"format", "pt"}}).ok());
  ASSERT_TRUE(WriteFileAtomic(JoinPath(dir.path(), "config.json"),
                              R"({"num_attention_heads": 3, "layer_norm_eps": 1e-6, "hidden_act": "gelu"})")
                  .ok());
  const auto loaded = LoadEncoder(dir.path());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->family, "hf-vit-mae");
  EXPECT_EQ(loaded->image, (ImageShape{3, 32, 32}));
  const Encoding encoding = loaded->encoder->Encode(golden_.at("images"), Plan());
  ExpectEqual(encoding.visible_BKD, golden_.at("latent").slice(1, 1), "visible tokens");
}

}  // namespace
}  // namespace mimeo
