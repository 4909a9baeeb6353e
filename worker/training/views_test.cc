#include "worker/training/views.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "job/job_spec.h"

namespace mimeo {
namespace {

constexpr int kPx = 80;

JobSpec Spec() {
  JobSpec spec;
  spec.mutable_data()->set_path("photos");
  spec.mutable_data()->set_global_batch(2);
  spec.mutable_data()->set_image_px(kPx);
  spec.add_views()->set_count(2);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(8), vit->set_width(8), vit->set_depth(2), vit->set_heads(2);
  spec.add_objective()->mutable_reconstruction();
  spec.mutable_schedule()->set_steps(10);
  return spec;
}

Batch Black(std::vector<RandomKey> keys) {
  Batch batch;
  batch.views_BCHW.assign(2, at::zeros({static_cast<int64_t>(keys.size()), 3, kPx, kPx}, at::kByte));
  batch.keys = std::move(keys);
  return batch;
}

TEST(ViewMakerTest, MasksFollowFromTheRowsKeysAlone) {
  const ViewMaker maker(ResolveJobSpec(Spec()).value(), at::kCPU);
  const ForwardPass both = maker.Make(Black({RandomKey(1), RandomKey(2)}), {});
  const ForwardPass alone = maker.Make(Black({RandomKey(2)}), {});
  EXPECT_TRUE(at::equal(both.views[0].plan.visible_BK[1], alone.views[0].plan.visible_BK[0]));
  EXPECT_FALSE(at::equal(alone.views[0].plan.visible_BK, alone.views[1].plan.visible_BK))
      << "each view has its own mask";
  EXPECT_FALSE(both.views[0].drop_path_BR.defined());
}

TEST(ViewMakerTest, ViewsMayShareAMask) {
  JobSpec spec = Spec();
  spec.mutable_mask()->set_same_in_all_views(true);
  const ForwardPass pass = ViewMaker(ResolveJobSpec(spec).value(), at::kCPU).Make(Black({RandomKey(2)}), {});
  EXPECT_TRUE(at::equal(pass.views[0].plan.visible_BK, pass.views[1].plan.visible_BK));
}

TEST(ViewMakerTest, DroppedPathsFollowFromTheRowsKeysAlone) {
  const ViewMaker maker(ResolveJobSpec(Spec()).value(), at::kCPU);
  const std::vector<double> rates = {0, 0, 0.5, 0.5};
  const ForwardPass both = maker.Make(Black({RandomKey(1), RandomKey(2)}), rates);
  const ForwardPass alone = maker.Make(Black({RandomKey(2)}), rates);
  EXPECT_TRUE(at::equal(both.views[0].drop_path_BR[1], alone.views[0].drop_path_BR[0]));
}

TEST(ViewMakerTest, EachViewIsEncodedUnderEachOfItsComplementaryMasks) {
  JobSpec spec = Spec();
  spec.mutable_mask()->set_groups(4);
  const ViewMaker maker(ResolveJobSpec(spec).value(), at::kCPU);
  const ForwardPass pass = maker.Make(Black({RandomKey(1), RandomKey(2)}), {});
  const ForwardPass single =
      ViewMaker(ResolveJobSpec(Spec()).value(), at::kCPU).Make(Black({RandomKey(1), RandomKey(2)}), {});
  ASSERT_EQ(pass.views.size(), 8u);
  for (int v = 0; v < 2; ++v) {
    std::vector<int> seen(100, 0);
    for (int g = 0; g < 4; ++g) {
      const ViewInput& input = pass.views[v * 4 + g];
      EXPECT_EQ(input.view, v);
      EXPECT_TRUE(input.images_BCHW.is_same(pass.views[v * 4].images_BCHW)) << "normalised once";
      ASSERT_EQ(input.plan.visible_BK.sizes(), at::IntArrayRef({2, 25}));
      for (int k = 0; k < 25; ++k) ++seen[input.plan.visible_BK[1][k].item<int64_t>()];
    }
    EXPECT_EQ(seen, std::vector<int>(100, 1)) << "four quarters are disjoint and cover all";
    EXPECT_TRUE(at::equal(pass.views[v * 4].plan.visible_BK, single.views[v].plan.visible_BK))
        << "the first is the only one's";
  }
}

TEST(ViewMakerTest, EveryEncodingDropsItsOwnPaths) {
  JobSpec spec = Spec();
  spec.mutable_mask()->set_groups(2);
  const ViewMaker maker(ResolveJobSpec(spec).value(), at::kCPU);
  std::vector<RandomKey> keys;
  for (int i = 0; i < 32; ++i) keys.push_back(RandomKey(i));
  const std::vector<double> rates = {0, 0, 0.5, 0.5};
  const ForwardPass pass = maker.Make(Black(keys), rates);
  ASSERT_EQ(pass.views.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const at::Tensor& dropped_BR = pass.views[i].drop_path_BR;
    ASSERT_EQ(dropped_BR.sizes(), at::IntArrayRef({32, 4}));
    for (int row = 0; row < 32; ++row) {
      for (int branch = 0; branch < 4; ++branch) {
        const float scale = dropped_BR[row][branch].item<float>();
        EXPECT_TRUE(branch < 2 ? scale == 1 : scale == 0 || scale == 2) << scale;
      }
    }
    for (size_t j = 0; j < i; ++j) EXPECT_FALSE(at::equal(dropped_BR, pass.views[j].drop_path_BR)) << i << " " << j;
  }
}

TEST(ViewMakerTest, TheSharedTargetIsNormalisedAsTheViewsAre) {
  const ViewMaker maker(ResolveJobSpec(Spec()).value(), at::kCPU);
  Batch batch = Black({RandomKey(1)});
  EXPECT_FALSE(maker.Make(batch, {}).shared_BCHW.defined());
  batch.shared_BCHW = at::full({1, 3, kPx, kPx}, 51, at::kByte);
  const ForwardPass pass = maker.Make(batch, {});
  ASSERT_EQ(pass.shared_BCHW.sizes(), at::IntArrayRef({1, 3, kPx, kPx}));
  EXPECT_NEAR(pass.shared_BCHW[0][0][3][7].item<float>(), (0.2 - 0.485) / 0.229, 1e-5);
  EXPECT_NEAR(pass.shared_BCHW[0][2][3][7].item<float>(), (0.2 - 0.406) / 0.225, 1e-5);
  EXPECT_NEAR(pass.views[1].images_BCHW[0][0][3][7].item<float>(), -0.485 / 0.229, 1e-5);
}

TEST(ViewMakerTest, GreyRectanglesHaveTheirOwnStatisticsAndGrid) {
  JobSpec spec = Spec();
  spec.mutable_data()->set_image_width_px(40);
  spec.mutable_data()->set_channels(1);
  spec.mutable_mask()->mutable_grid();
  Batch batch = Black({RandomKey(1), RandomKey(2)});
  batch.views_BCHW.assign(2, at::full({2, 1, kPx, 40}, 51, at::kByte));
  spec.mutable_encoder()->mutable_vit()->set_patch_px(10);
  const ForwardPass pass = ViewMaker(ResolveJobSpec(spec).value(), at::kCPU).Make(batch, {});
  ASSERT_EQ(pass.views[0].images_BCHW.sizes(), at::IntArrayRef({2, 1, kPx, 40}));
  EXPECT_NEAR(pass.views[0].images_BCHW[1][0][5][5].item<float>(), (0.2 - 0.449) / 0.226, 1e-5);
  ASSERT_EQ(pass.views[1].plan.visible_BK.sizes(), at::IntArrayRef({2, 8}));  // of 8 x 4 patches
  EXPECT_EQ(pass.views[1].plan.visible_BK[1][2].item<int64_t>(), 8) << "the first of the next row of squares";
}

TEST(ViewMakerTest, SmallViewsAreSeenWholeOnTheirOwnGrid) {
  JobSpec spec = Spec();
  spec.clear_objective();
  spec.mutable_mask()->mutable_none();
  spec.mutable_ema();
  spec.add_objective()->mutable_self_distillation();
  ViewSpec* small = spec.add_views();
  small->set_image_px(24), small->set_image_width_px(16);
  Batch batch = Black({RandomKey(1), RandomKey(2)});
  batch.views_BCHW.push_back(at::zeros({2, 3, 24, 16}, at::kByte));
  const ForwardPass pass = ViewMaker(ResolveJobSpec(spec).value(), at::kCPU).Make(batch, {});
  ASSERT_EQ(pass.views.size(), 3u);
  EXPECT_EQ(pass.views[0].plan.visible_BK.size(1), 100);
  EXPECT_EQ(pass.views[2].plan.visible_BK.sizes(), at::IntArrayRef({2, 6}));  // 3 x 2 patches of 8 px
  EXPECT_EQ(pass.views[2].plan.hidden_BM.size(1), 0);
  EXPECT_EQ(pass.views[2].view, 2);
}

TEST(ViewMakerTest, ATeacherDrawsFocusedMasks) {
  JobSpec spec = ResolveJobSpec(Spec()).value();
  spec.mutable_mask()->mutable_focused()->set_teacher("t");
  const ForwardPass pass = ViewMaker(spec, at::kCPU).Make(Black({RandomKey(1)}), {});
  ASSERT_EQ(pass.views.size(), 2u);
  for (const ViewInput& view : pass.views) EXPECT_FALSE(view.plan.visible_BK.defined());
}

}  // namespace
}  // namespace mimeo
