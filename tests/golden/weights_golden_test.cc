// Encoders of other families as transformers and timm compute them (tests/parity/make_weights_golden.py), read by
// LoadEncoder and run in float32: patch tokens, class token, an intermediate block, the class token's attention, CLIP's
// projection, gradients.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/safetensors.h"
#include "model/weights.h"

namespace mimeo {
namespace {

constexpr double kTolerance = 1e-5;      // of a tensor's norm
constexpr double kGradientFloor = 1e-7;  // of the norm of all gradients: a key's bias has none but for rounding

struct Golden {
  explicit Golden(const std::string& name)
      : file(SafetensorsFile::Open(absl::StrCat("tests/golden/weights/", name, ".safetensors")).value()),
        tensors(ReadTensors(file->view()).value()) {}

  // A folder as the family's users have it.
  void WriteTo(const std::string& dir) const {
    NamedTensors weights;
    for (const auto& [key, tensor] : tensors) {
      if (absl::StartsWith(key, "weight/")) weights.emplace(key.substr(7), tensor);
    }
    const auto& texts = file->view().metadata();
    std::map<std::string, std::string> metadata;
    const auto stated = nlohmann::json::parse(texts.at("metadata"));
    for (const auto& [key, value] : stated.items()) metadata[key] = value.get<std::string>();
    ASSERT_TRUE(WriteSafetensors(JoinPath(dir, "model.safetensors"), weights, metadata).ok());
    for (const auto& [text, name] :
         {std::make_pair("config", "config.json"), std::make_pair("preprocessor", "preprocessor_config.json")}) {
      if (texts.at(text).empty()) continue;
      ASSERT_TRUE(WriteFileAtomic(JoinPath(dir, name), texts.at(text)).ok());
    }
  }

  at::Tensor Image() const { return tensors.at("image").to(at::kFloat); }

  std::unique_ptr<SafetensorsFile> file;
  NamedTensors tensors;
};

void ExpectClose(const at::Tensor& got, const at::Tensor& want, const std::string& what, double floor = 0) {
  ASSERT_EQ(got.numel(), want.numel()) << what;
  const at::Tensor difference = got.detach().to(at::kDouble).flatten() - want.to(at::kDouble).flatten();
  const double norm = want.to(at::kDouble).norm().item<double>();
  EXPECT_LE(difference.norm().item<double>(), std::max(kTolerance * norm, floor)) << what << ", of norm " << norm;
}

struct Case {
  const char* name;
  const char* family;
};

class WeightsGoldenTest : public ::testing::TestWithParam<Case> {};

TEST_P(WeightsGoldenTest, FeaturesAndGradients) {
  const Golden golden(GetParam().name);
  const TempDir dir;
  golden.WriteTo(dir.path());
  const at::Tensor image = golden.Image();
  const absl::StatusOr<LoadedEncoder> loaded =
      LoadEncoder(dir.path(), {static_cast<int>(image.size(2)), static_cast<int>(image.size(3))});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  SCOPED_TRACE(absl::StrJoin(loaded->notes, "\n"));
  EXPECT_EQ(loaded->family, GetParam().family);
  EXPECT_EQ(loaded->spec.vit().positions(), POSITIONS_LEARNED);

  EncodeOptions options;
  options.blocks = {1};
  options.class_attention = golden.tensors.count("attention") > 0;
  const Encoding encoding =
      loaded->encoder->Encode(image, AllVisible(1, loaded->encoder->grid().num_patches(), at::kCPU), options);
  ExpectClose(encoding.visible_BKD, golden.tensors.at("tokens"), "patch tokens");
  ExpectClose(encoding.blocks_BND.at(1), golden.tensors.at("block"), "block 1");
  ASSERT_EQ(encoding.class_BD.defined(), golden.tensors.count("class") > 0);
  if (encoding.class_BD.defined()) ExpectClose(encoding.class_BD, golden.tensors.at("class"), "class token");
  if (options.class_attention) {
    ExpectClose(encoding.class_attention_BK, golden.tensors.at("attention"), "class attention");
  }
  ASSERT_EQ(loaded->projection_DE.defined(), golden.tensors.count("projected") > 0);
  if (loaded->projection_DE.defined()) {
    ExpectClose(encoding.class_BD.matmul(loaded->projection_DE), golden.tensors.at("projected"),
                "projected class token");
  }
  if (golden.tensors.count("gradient/encoder.cls_token") == 0) return;

  (encoding.visible_BKD.square().sum() + encoding.class_BD.square().sum()).backward();
  double square = 0;
  for (const auto& [name, parameter] : loaded->parameters->all()) {
    square += parameter.grad().square().sum().item<double>();
  }
  for (const auto& [name, parameter] : loaded->parameters->all()) {
    const auto gradient = golden.tensors.find("gradient/" + name);
    ASSERT_NE(gradient, golden.tensors.end()) << name;
    ExpectClose(parameter.grad(), gradient->second, "gradient of " + name, kGradientFloor * std::sqrt(square));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, WeightsGoldenTest,
                         ::testing::Values(Case{"hf_vit", "hf-vit"}, Case{"hf_vit_mae", "hf-vit-mae"},
                                           Case{"hf_clip", "hf-clip"}, Case{"openai_clip", "openai-clip"},
                                           Case{"timm_vit", "timm"}, Case{"timm_clip_quickgelu", "timm"},
                                           Case{"timm_dino", "timm"}, Case{"timm_without_class_token", "timm"},
                                           Case{"hf_dinov2", "hf-dinov2"}, Case{"hf_dinov2_registers", "hf-dinov2"},
                                           Case{"dinov2", "dinov2"}, Case{"timm_dinov2_registers", "timm"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace mimeo
