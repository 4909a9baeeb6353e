#include "model/flops.h"

#include <gtest/gtest.h>

#include <vector>

namespace mimeo {
namespace {

JobSpec Mae(int width, int depth, int patch_px, int views) {
  JobSpec spec;
  spec.mutable_data()->set_image_px(224);
  spec.mutable_views()->set_count(views);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_width(width), vit->set_depth(depth), vit->set_patch_px(patch_px), vit->set_mlp_ratio(4);
  ReconstructionSpec* decoder = spec.add_objective()->mutable_reconstruction();
  decoder->set_decoder_width(512), decoder->set_decoder_depth(8), decoder->set_decoder_heads(16);
  return spec;
}

// GFLOP of a training step, counted independently by tensor shapes; MAE's S, B, L and H, and B at hidden fraction 0.8.
TEST(FlopsTest, PublishedMaes) {
  EXPECT_NEAR(TrainGflopPerImage(Mae(384, 12, 16, 1), 49), 39.0, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Mae(768, 12, 16, 1), 49), 58.7, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Mae(1024, 24, 16, 1), 49), 124.5, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Mae(1280, 32, 14, 1), 64), 291.4, 0.05);
  EXPECT_NEAR(TrainGflopPerImage(Mae(768, 12, 16, 1), 39), 53.5, 0.05);
}

TEST(FlopsTest, ViewsMultiplyAndADecoderIsOptional) {
  EXPECT_NEAR(TrainGflopPerImage(Mae(768, 12, 16, 2), 39), 106.9, 0.05);
  JobSpec encoder_only = Mae(768, 12, 16, 1);
  encoder_only.clear_objective();
  EXPECT_NEAR(TrainGflopPerImage(encoder_only, 49), 6 * (0.1156 + 4.2928), 0.01);
}

}  // namespace
}  // namespace mimeo
