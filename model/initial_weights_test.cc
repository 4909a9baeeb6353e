// Each method's encoder as its authors initialise it: the numbers are theirs (the files that proto/job.proto names).
#include "model/initial_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "model/encoder.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

constexpr int kWidth = 96, kPatchPx = 16, kFanIn = 3 * kPatchPx * kPatchPx;

class InitialWeightsTest : public ::testing::Test {
 protected:
  void Make(InitialWeights kind) {
    parameters_ = std::make_unique<Parameters>(/*seed=*/5);
    parameters_->set_initial_weights(kind);
    EncoderSpec spec;
    *spec.mutable_vit() = testing::PlainVit(kPatchPx, kWidth, /*depth=*/3, /*heads=*/3);
    spec.mutable_vit()->set_positions(POSITIONS_LEARNED);
    spec.mutable_vit()->set_mask_token(true);
    MakeEncoder(spec, {3, 224, 224}, parameters_.get());
  }
  at::Tensor Weight(const std::string& name) const { return parameters_->Find("encoder." + name).detach(); }
  double Largest(const std::string& name) const { return Weight(name).abs().max().item<double>(); }
  double Deviation(const std::string& name) const { return Weight(name).std(false).item<double>(); }
  // Uniform in [-bound, bound].
  void ExpectUniform(const std::string& name, double bound) const {
    EXPECT_NEAR(Largest(name), bound, 0.02 * bound) << name;
    EXPECT_NEAR(Deviation(name), bound / std::sqrt(3.0), 0.03 * bound) << name;
  }
  void ExpectNormal(const std::string& name, double deviation) const {
    EXPECT_NEAR(Deviation(name), deviation, 0.03 * deviation) << name;
    EXPECT_GT(Largest(name), 2.5 * deviation) << name;
  }
  // A normal number within one deviation of 0 has the deviation sqrt(1 - 2 phi(1) / (2 Phi(1) - 1)) = 0.5396.
  void ExpectCutOff(const std::string& name, double deviation) const {
    EXPECT_NEAR(Deviation(name), 0.5396 * deviation, 0.015 * deviation) << name;
    EXPECT_NEAR(Largest(name), deviation, 0.01 * deviation) << name;
    EXPECT_LE(Largest(name), deviation * (1 + 1e-6)) << name;
  }
  void ExpectZero(const std::string& name) const { EXPECT_EQ(Largest(name), 0) << name; }

  std::unique_ptr<Parameters> parameters_;
};

TEST_F(InitialWeightsTest, MaesAreWhatLayersAskFor) {
  Make(INITIAL_WEIGHTS_MAE);
  ExpectUniform("blocks.0.attn.qkv.weight", std::sqrt(6.0 / (3 * kWidth + kWidth)));
  ExpectUniform("patch_embed.proj.weight", std::sqrt(6.0 / (kFanIn + kWidth)));
  EXPECT_GT(Largest("patch_embed.proj.bias"), 0);
  EXPECT_NEAR(Deviation("cls_token"), 0.02, 0.005);
  EXPECT_NEAR(Largest("pos_embed"), 1, 1e-3);  // sines and cosines
}

TEST_F(InitialWeightsTest, Dinos) {
  Make(INITIAL_WEIGHTS_DINO);
  for (const char* name : {"blocks.0.attn.qkv.weight", "blocks.2.mlp.fc2.weight", "pos_embed"}) {
    ExpectNormal(name, 0.02);
  }
  EXPECT_NEAR(Deviation("cls_token"), 0.02, 0.005);
  ExpectUniform("patch_embed.proj.weight", 1 / std::sqrt(kFanIn));
  EXPECT_GT(Largest("patch_embed.proj.bias"), 0.8 / std::sqrt(kFanIn));
  ExpectZero("blocks.1.mlp.fc1.bias");
  const Draw prototypes =
      DrawOf(INITIAL_WEIGHTS_DINO, "objective.dino.prototypes", {512, 256}, {Init::kNormal002, /*fan_in=*/0});
  EXPECT_EQ(prototypes.init, Init::kConvDefault);
  EXPECT_EQ(prototypes.fan_in, 256);
  EXPECT_EQ(DrawOf(INITIAL_WEIGHTS_DINO, "objective.dino.head.fc1.weight", {8, 4}, {Init::kXavierUniform}).init,
            Init::kNormal002);
}

TEST_F(InitialWeightsTest, MocoV3s) {
  Make(INITIAL_WEIGHTS_MOCO_V3);
  ExpectUniform("blocks.0.attn.qkv.weight", std::sqrt(6.0 / (kWidth + kWidth)));
  ExpectUniform("blocks.0.attn.proj.weight", std::sqrt(6.0 / (kWidth + kWidth)));
  ExpectUniform("blocks.2.mlp.fc1.weight", std::sqrt(6.0 / (kWidth + 4 * kWidth)));
  ExpectUniform("patch_embed.proj.weight", std::sqrt(6.0 / (kFanIn + kWidth)));
  ExpectZero("patch_embed.proj.bias");
  EXPECT_NEAR(Deviation("cls_token"), 1e-6, 2.5e-7);
  EXPECT_NEAR(Largest("pos_embed"), 1, 1e-3);
  for (const char* head : {"objective.contrast.projector.fc1.weight", "objective.contrast.predictor.fc2.weight"}) {
    const Draw draw = DrawOf(INITIAL_WEIGHTS_MOCO_V3, head, {64, 256}, {Init::kXavierUniform});
    EXPECT_EQ(draw.init, Init::kConvDefault) << head;
    EXPECT_EQ(draw.fan_in, 256) << head;
  }
}

TEST_F(InitialWeightsTest, Simmims) {
  Make(INITIAL_WEIGHTS_SIMMIM);
  for (const char* name :
       {"blocks.0.attn.qkv.weight", "blocks.2.mlp.fc1.weight", "patch_embed.proj.weight", "pos_embed"}) {
    ExpectCutOff(name, 0.02);
  }
  ExpectCutOff("blocks.0.attn.proj.weight", 0.02 / std::sqrt(2.0));
  ExpectCutOff("blocks.0.mlp.fc2.weight", 0.02 / std::sqrt(2.0));
  ExpectCutOff("blocks.2.attn.proj.weight", 0.02 / std::sqrt(6.0));
  ExpectCutOff("blocks.2.mlp.fc2.weight", 0.02 / std::sqrt(6.0));
  ExpectZero("patch_embed.proj.bias");
  EXPECT_LE(Largest("cls_token"), 0.02 * (1 + 1e-6));
  EXPECT_LE(Largest("mask_token"), 0.02 * (1 + 1e-6));
  EXPECT_GT(Largest("mask_token"), 0.015);
  const Draw weight = DrawOf(INITIAL_WEIGHTS_SIMMIM, "objective.pixels.pred.weight", {768, 96}, {Init::kXavierUniform});
  EXPECT_EQ(weight.init, Init::kConvDefault);
  EXPECT_EQ(weight.fan_in, 96);
  const Draw bias = DrawOf(INITIAL_WEIGHTS_SIMMIM, "objective.pixels.pred.bias", {768}, {Init::kZeros, 96});
  EXPECT_EQ(bias.init, Init::kConvDefault);
  EXPECT_EQ(bias.fan_in, 96);
}

}  // namespace
}  // namespace mimeo
