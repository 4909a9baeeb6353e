#include "model/weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/file.h"

namespace mimeo {
namespace {

constexpr int kImagePx = 16;

JobSpec TinyJob() {
  JobSpec spec;
  spec.mutable_data()->set_image_px(kImagePx);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(4), vit->set_width(12), vit->set_depth(2), vit->set_heads(3), vit->set_mlp_ratio(4);
  return spec;
}

at::Tensor Images() {
  return at::sin(at::arange(2 * 3 * kImagePx * kImagePx, at::kFloat) * 0.61).view({2, 3, kImagePx, kImagePx});
}

// A trained model's stand-in: every parameter random, biases too.
struct Trained {
  Trained() : parameters(2) {
    encoder = MakeEncoder(TinyJob().encoder(), kImagePx, &parameters);
    for (const auto& [name, tensor] : parameters.all()) {
      const at::NoGradGuard no_grad;
      tensor.add_(at::sin(at::arange(tensor.numel(), at::kFloat) * 0.7).view_as(tensor) * 0.1);
      checkpoint[name] = tensor.detach();
    }
    checkpoint["objective.pixels.mask_token"] = at::zeros({1, 1, 4});
    checkpoint["optimizer.step"] = at::zeros({1});
  }
  at::Tensor Features(const Encoder& which) const {
    return which.Encode(Images(), AllVisible(2, 16, at::kCPU)).visible_BKD.detach();
  }

  Parameters parameters;
  std::unique_ptr<Encoder> encoder;
  NamedTensors checkpoint;
};

class WeightsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  // The encoder of `trained_` under timm's names, with `pos_embed`.
  NamedTensors Timm() const {
    NamedTensors tensors = {{"pos_embed", SinCosPositions({4, 4, 4}, 12).unsqueeze(0)}};
    for (const auto& [name, tensor] : trained_.checkpoint) {
      if (absl::StartsWith(name, "encoder.")) tensors.emplace(name.substr(8), tensor);
    }
    return tensors;
  }
  void ExpectSameFeatures(const LoadedEncoder& loaded) const {
    EXPECT_TRUE(at::equal(trained_.Features(*loaded.encoder), trained_.Features(*trained_.encoder)));
  }

  TempDir dir_;
  Trained trained_;
};

TEST_F(WeightsTest, SafetensorsKeepTypesShapesAndStrides) {
  const NamedTensors tensors = {{"strided", at::arange(6, at::kFloat).view({2, 3}).transpose(0, 1)},
                                {"half", at::arange(3, at::kFloat).to(at::kBFloat16)},
                                {"index", at::arange(5, at::kLong)},
                                {"none", at::zeros({0, 4})},
                                {"scalar", at::zeros({}) + 7}};
  ASSERT_TRUE(WriteSafetensors(Path("t"), tensors, {{"who", "me"}}).ok());
  const auto file = SafetensorsFile::Open(Path("t"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->view().metadata().at("who"), "me");
  const auto read = ReadTensors((*file)->view());
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    EXPECT_EQ(read->at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(read->at(name), tensor)) << name;
  }
}

TEST_F(WeightsTest, HuggingFaceRoundTrip) {
  ASSERT_TRUE(ExportHfVit(trained_.checkpoint, TinyJob(), Path("encoder")).ok());
  const auto loaded = LoadEncoder(Path("encoder"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->family, "hf-vit");
  EXPECT_EQ(loaded->image_px, kImagePx);
  EXPECT_EQ(loaded->spec.vit().heads(), 3);
  EXPECT_EQ(loaded->spec.vit().mlp_ratio(), 4);
  EXPECT_EQ(loaded->digest.size(), 64u);
  EXPECT_NEAR(loaded->statistics.std[2], 0.225, 1e-6);
  ExpectSameFeatures(*loaded);
  ExpectSameFeatures(LoadEncoder(Path("encoder/model.safetensors")).value());
}

TEST_F(WeightsTest, HuggingFacesConfigSaysWhatAutoModelNeeds) {
  ASSERT_TRUE(ExportHfVit(trained_.checkpoint, TinyJob(), Path("encoder")).ok());
  const auto config = nlohmann::json::parse(ReadFile(Path("encoder/config.json")).value());
  EXPECT_EQ(config["model_type"], "vit");
  EXPECT_EQ(config["hidden_size"], 12);
  EXPECT_EQ(config["intermediate_size"], 48);
  EXPECT_EQ(config["layer_norm_eps"], 1e-6);
  EXPECT_EQ(config["image_size"], kImagePx);
  const auto file = SafetensorsFile::Open(Path("encoder/model.safetensors")).value();
  const NamedTensors tensors = ReadTensors(file->view()).value();
  EXPECT_TRUE(at::equal(tensors.at("vit.embeddings.position_embeddings")[0], SinCosPositions({4, 4, 4}, 12)));
  EXPECT_TRUE(at::equal(tensors.at("vit.encoder.layer.1.attention.attention.key.weight"),
                        trained_.checkpoint.at("encoder.blocks.1.attn.qkv.weight").slice(0, 12, 24)));
  EXPECT_EQ(file->view().metadata().at("format"), "pt");
}

TEST_F(WeightsTest, MimeoRoundTripLeavesTheOptimizerOut) {
  ASSERT_TRUE(ExportSafetensors(trained_.checkpoint, TinyJob(), Path("model.safetensors")).ok());
  const auto file = SafetensorsFile::Open(Path("model.safetensors")).value();
  EXPECT_EQ(file->view().tensors().count("optimizer.step"), 0u);
  EXPECT_EQ(file->view().tensors().count("objective.pixels.mask_token"), 1u);
  const auto loaded = LoadEncoder(Path("model.safetensors"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->family, "mimeo");
  ExpectSameFeatures(*loaded);
}

TEST_F(WeightsTest, TimmAndMaeFiles) {
  NamedTensors tensors = Timm();
  tensors.emplace("head.weight", at::zeros({5, 12}));
  ASSERT_TRUE(WriteSafetensors(Path("timm"), tensors, {{"num_heads", "3"}}).ok());
  const auto timm = LoadEncoder(Path("timm"));
  ASSERT_TRUE(timm.ok()) << timm.status();
  EXPECT_EQ(timm->family, "timm");
  ExpectSameFeatures(*timm);
  tensors.erase("head.weight");
  tensors.emplace("decoder_pred.weight", at::zeros({5, 12}));
  tensors.emplace("mask_token", at::zeros({1, 1, 12}));
  ASSERT_TRUE(WriteSafetensors(Path("mae"), tensors, {{"num_heads", "3"}}).ok());
  EXPECT_EQ(LoadEncoder(Path("mae"))->family, "mae");
  ASSERT_TRUE(WriteSafetensors(Path("headless"), tensors, {}).ok());
  EXPECT_TRUE(absl::StrContains(LoadEncoder(Path("headless")).status().message(), "width 12"));
}

TEST_F(WeightsTest, LearnedPositionsAreKept) {
  NamedTensors tensors = Timm();
  tensors["pos_embed"] = tensors["pos_embed"] * 1.5;
  ASSERT_TRUE(WriteSafetensors(Path("timm"), tensors, {{"num_heads", "3"}}).ok());
  const auto loaded = LoadEncoder(Path("timm"));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_GT((trained_.Features(*loaded->encoder) - trained_.Features(*trained_.encoder)).abs().max().item<float>(), 0.01);
  Parameters into(9);
  MakeEncoder(TinyJob().encoder(), kImagePx, &into);
  const absl::Status refused = LoadEncoderInto(Path("timm"), &into);
  EXPECT_TRUE(absl::StrContains(refused.message(), "pos_embed are not sine-cosine positions")) << refused;
}

TEST_F(WeightsTest, EveryBadKeyIsNamedAndNothingIsCopied) {
  NamedTensors tensors = Timm();
  tensors.erase("norm.bias");
  tensors.erase("blocks.0.mlp.fc2.weight");
  tensors["blocks.1.attn.qkv.weight"] = at::zeros({12, 12});
  tensors["blocks.1.attn.q_norm.weight"] = at::zeros({4});
  tensors["cls_token"] = at::zeros({1, 1, 12}, at::kLong);
  ASSERT_TRUE(WriteSafetensors(Path("bad"), tensors, {{"num_heads", "3"}}).ok());
  Parameters into(9);
  MakeEncoder(TinyJob().encoder(), kImagePx, &into);
  const at::Tensor before = into.Find("encoder.norm.weight").detach().clone();
  for (const absl::Status& refused : {LoadEncoder(Path("bad")).status(), LoadEncoderInto(Path("bad"), &into)}) {
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    for (const char* part : {"missing key norm.bias, shape [12]", "missing key blocks.0.mlp.fc2.weight, shape [12, 48]",
                             "key blocks.1.attn.qkv.weight has shape [12, 12], should be [36, 12]",
                             "unknown key blocks.1.attn.q_norm.weight", "key cls_token holds Long"}) {
      EXPECT_TRUE(absl::StrContains(refused.message(), part)) << part << "\nin\n" << refused;
    }
  }
  EXPECT_TRUE(at::equal(into.Find("encoder.norm.weight"), before));
}

TEST_F(WeightsTest, LoadIntoMatchesShapes) {
  ASSERT_TRUE(ExportHfVit(trained_.checkpoint, TinyJob(), Path("encoder")).ok());
  Parameters same(9), deeper(9);
  const auto encoder = MakeEncoder(TinyJob().encoder(), kImagePx, &same);
  ASSERT_TRUE(LoadEncoderInto(Path("encoder"), &same).ok());
  EXPECT_TRUE(at::equal(trained_.Features(*encoder), trained_.Features(*trained_.encoder)));
  EXPECT_TRUE(same.Find("encoder.norm.weight").requires_grad());
  JobSpec deep = TinyJob();
  deep.mutable_encoder()->mutable_vit()->set_depth(3);
  MakeEncoder(deep.encoder(), kImagePx, &deeper);
  EXPECT_TRUE(absl::StrContains(LoadEncoderInto(Path("encoder"), &deeper).message(), "it has 2 blocks; this encoder has 3"));
}

TEST_F(WeightsTest, InitialWeightsMayComeFromAnotherResolution) {
  ASSERT_TRUE(ExportHfVit(trained_.checkpoint, TinyJob(), Path("encoder")).ok());
  Parameters larger(9);
  const auto encoder = MakeEncoder(TinyJob().encoder(), 2 * kImagePx, &larger);
  ASSERT_TRUE(LoadEncoderInto(Path("encoder"), &larger).ok());
  EXPECT_TRUE(at::equal(larger.Find("encoder.pos_embed"), SinCosPositions(encoder->grid(), 12)));
}

TEST_F(WeightsTest, ATruncatedFileIsRefusedByName) {
  ASSERT_TRUE(ExportHfVit(trained_.checkpoint, TinyJob(), Path("encoder")).ok());
  const std::string path = Path("encoder/model.safetensors"), whole = ReadFile(path).value();
  for (const size_t size : {size_t{0}, size_t{5}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    ASSERT_TRUE(WriteFileAtomic(path, whole.substr(0, size)).ok());
    const absl::Status refused = LoadEncoder(Path("encoder")).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss) << size << " bytes: " << refused;
    EXPECT_TRUE(absl::StrContains(refused.message(), path)) << refused;
  }
}

TEST_F(WeightsTest, OtherFilesAreRefused) {
  EXPECT_EQ(LoadEncoder(Path("absent")).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteSafetensors(Path("clip"), {{"visual.conv1.weight", at::zeros({8, 3, 4, 4})}}, {}).ok());
  const absl::Status unknown = LoadEncoder(Path("clip")).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(unknown.message(), "visual.conv1.weight")) << unknown;
  ASSERT_TRUE(ExportHfVit(trained_.checkpoint, TinyJob(), Path("encoder")).ok());
  ASSERT_TRUE(WriteFileAtomic(Path("encoder/config.json"), R"({"hidden_act": "quick_gelu"})").ok());
  const absl::Status config = LoadEncoder(Path("encoder")).status();
  for (const char* part : {"num_attention_heads", "layer_norm_eps", "quick_gelu"}) {
    EXPECT_TRUE(absl::StrContains(config.message(), part)) << config;
  }
}

TEST_F(WeightsTest, ExportNamesWhatACheckpointLacks) {
  NamedTensors checkpoint = trained_.checkpoint;
  checkpoint.erase("encoder.norm.weight");
  checkpoint["encoder.cls_token"] = at::zeros({1, 12});
  const absl::Status refused = ExportHfVit(checkpoint, TinyJob(), Path("encoder"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(refused.message(), "missing key encoder.norm.weight, shape [12]")) << refused;
  EXPECT_TRUE(absl::StrContains(refused.message(), "key encoder.cls_token has shape [1, 12], should be [1, 1, 12]")) << refused;
  EXPECT_FALSE(FileExists(Path("encoder/model.safetensors")));
}

}  // namespace
}  // namespace mimeo
