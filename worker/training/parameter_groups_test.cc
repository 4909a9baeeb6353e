#include "worker/training/parameter_groups.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "model/encoder.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

// methods.md's golden values are MAE's: ViT-B with layer decay 0.65, ViT-L with 0.75.
TEST(RateScaleTest, IsMaesLayerDecay) {
  EXPECT_NEAR(RateScale("encoder.cls_token", 12, 0.65), 0.00369721, 1e-8);
  EXPECT_NEAR(RateScale("encoder.pos_embed", 12, 0.65), 0.00369721, 1e-8);
  EXPECT_NEAR(RateScale("encoder.patch_embed.proj.weight", 12, 0.65), 0.00369721, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.0.attn.qkv.weight", 12, 0.65), 0.00568801, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.9.norm1.bias", 12, 0.65), 0.274625, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.11.norm1.bias", 12, 0.65), 0.65, 1e-12);
  EXPECT_EQ(RateScale("encoder.norm.weight", 12, 0.65), 1);
  EXPECT_EQ(RateScale("objective.class.head.weight", 12, 0.65), 1);
  EXPECT_NEAR(RateScale("encoder.cls_token", 24, 0.75), 0.00075254, 1e-8);
  EXPECT_NEAR(RateScale("encoder.blocks.23.mlp.fc1.weight", 24, 0.75), 0.75, 1e-12);
}

TEST(RateScaleTest, ConvolutionStagesAreLayerZero) {
  EXPECT_NEAR(RateScale("encoder.blocks1.0.conv1.weight", 11, 0.5), std::pow(0.5, 12), 1e-12);
  EXPECT_NEAR(RateScale("encoder.patch_embed4.weight", 11, 0.5), std::pow(0.5, 12), 1e-12);
  EXPECT_NEAR(RateScale("encoder.blocks3.10.attn.proj.weight", 11, 0.5), 0.5, 1e-12);
}

TEST(NumEncoderBlocksTest, CountsByName) {
  Parameters parameters(1);
  EncoderSpec spec;
  *spec.mutable_vit() = testing::PlainVit(/*patch_px=*/8, /*width=*/8, /*depth=*/3, /*heads=*/2);
  MakeEncoder(spec, {3, 16, 16}, &parameters);
  EXPECT_EQ(NumEncoderBlocks(parameters), 3);
}

// Invariant 13 of the methods: what is decayed is what is neither 1-D nor a bias; positions never are.
TEST(IsDecayedTest, MatricesAndTokensAreVectorsAndPositionsAreNot) {
  EXPECT_TRUE(IsDecayed("encoder.blocks.0.attn.qkv.weight", at::zeros({6, 2})));
  EXPECT_TRUE(IsDecayed("encoder.cls_token", at::zeros({1, 1, 2})));
  EXPECT_TRUE(IsDecayed("objective.pixels.mask_token", at::zeros({1, 1, 2})));
  EXPECT_FALSE(IsDecayed("encoder.blocks.0.attn.qkv.bias", at::zeros({6})));
  EXPECT_FALSE(IsDecayed("encoder.norm.weight", at::zeros({2})));
  EXPECT_FALSE(IsDecayed("encoder.pos_embed", at::zeros({5, 2})));
}

}  // namespace
}  // namespace mimeo
