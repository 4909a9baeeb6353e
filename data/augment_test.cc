#include "data/augment.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

ViewSpec MaeViews() {
  ViewSpec spec;
  spec.set_count(1);
  spec.set_crop_scale_min(0.2);
  spec.set_crop_scale_max(1);
  spec.set_crop_ratio_min(3.0 / 4);
  spec.set_crop_ratio_max(4.0 / 3);
  spec.set_flip_probability(0.5);
  return spec;
}

Pixels TestImage(const std::string& name) {
  return DecodeImage(ReadFile(absl::StrCat("data/testdata/", name)).value(), 1000000).value();
}

uint8_t At(const at::Tensor& image_CHW, int64_t channel, int64_t y, int64_t x) {
  const int64_t px = image_CHW.size(2);
  return static_cast<const uint8_t*>(image_CHW.data_ptr())[(channel * px + y) * px + x];
}

int LargestDifference(const at::Tensor& image_CHW, const Pixels& expected) {
  const int px = expected.width;
  int largest = image_CHW.size(1) == px && image_CHW.size(2) == px ? 0 : 256;
  for (int y = 0; y < px; ++y) {
    for (int x = 0; x < px; ++x) {
      for (int c = 0; c < 3; ++c) {
        largest = std::max(largest, std::abs(At(image_CHW, c, y, x) - expected.rgb[(y * px + x) * 3 + c]));
      }
    }
  }
  return largest;
}

TEST(RandomCropPlanTest, StaysInsideAndWithinScaleAndRatio) {
  const ViewSpec spec = MaeViews();
  for (int i = 0; i < 2000; ++i) {
    const CropPlan plan = RandomCropPlan({500, 375}, spec, RandomKey(1).Fold(i));
    ASSERT_GE(plan.crop.left, 0);
    ASSERT_GE(plan.crop.top, 0);
    ASSERT_LE(plan.crop.left + plan.crop.width, 500);
    ASSERT_LE(plan.crop.top + plan.crop.height, 375);
    const double scale = plan.crop.width * plan.crop.height / (500.0 * 375);
    const double ratio = static_cast<double>(plan.crop.width) / plan.crop.height;
    ASSERT_GT(scale, 0.195);
    ASSERT_LE(scale, 1.0);
    ASSERT_GT(ratio, 0.75 - 0.01);
    ASSERT_LT(ratio, 4.0 / 3 + 0.01);
  }
}

// Where no try is refused (a small scale in a square image), the area is uniform and the logarithm of the ratio too.
TEST(RandomCropPlanTest, AreaAndLogarithmOfTheRatioAreUniform) {
  ViewSpec spec = MaeViews();
  spec.set_crop_scale_min(0.1);
  spec.set_crop_scale_max(0.5);
  double area = 0;
  double area_squares = 0;
  double log_ratio = 0;
  double flips = 0;
  const int draws = 4000;
  for (int i = 0; i < draws; ++i) {
    const CropPlan plan = RandomCropPlan({1000, 1000}, spec, RandomKey(2).Fold(i));
    const double share = plan.crop.width * plan.crop.height / 1e6;
    area += share / draws;
    area_squares += share * share / draws;
    log_ratio += std::log(static_cast<double>(plan.crop.width) / plan.crop.height) / draws;
    flips += plan.flip ? 1.0 / draws : 0;
  }
  EXPECT_NEAR(area, 0.3, 0.01);
  EXPECT_NEAR(area_squares - area * area, 0.4 * 0.4 / 12, 0.001);  // the variance of a uniform number
  EXPECT_NEAR(log_ratio, 0, 0.02);
  EXPECT_NEAR(flips, 0.5, 0.03);
}

TEST(RandomCropPlanTest, FallsBackToTheCentreAsTorchvision) {
  const ViewSpec spec = MaeViews();
  // No crop of at least a fifth of the area fits with a ratio up to 4/3: the whole height, and the width that 4/3 allows.
  const Rect wide = RandomCropPlan({1000, 30}, spec, RandomKey(3)).crop;
  EXPECT_EQ(wide.height, 30);
  EXPECT_EQ(wide.width, 40);
  EXPECT_EQ(wide.left, 480);
  const Rect tall = RandomCropPlan({30, 1000}, spec, RandomKey(3)).crop;
  EXPECT_EQ(tall.width, 30);
  EXPECT_EQ(tall.height, 40);
  EXPECT_EQ(tall.top, 480);
  const Rect line = RandomCropPlan({10000, 1}, spec, RandomKey(3)).crop;
  EXPECT_EQ(line.width, 1);
  EXPECT_EQ(line.height, 1);
  const Rect point = RandomCropPlan({1, 1}, spec, RandomKey(3)).crop;
  EXPECT_EQ(point.width * point.height, 1);
}

TEST(RandomCropPlanTest, FlipIsItsProbability) {
  ViewSpec spec = MaeViews();
  for (const double probability : {0.0, 1.0}) {
    spec.set_flip_probability(probability);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(RandomCropPlan({9, 9}, spec, RandomKey(i)).flip, probability == 1);
  }
}

TEST(ResizeCropTest, IsWithinTwoOfPillow) {
  const Pixels crop = CutPixels(TestImage("photo.jpg"), {17, 29, 101, 120});
  for (const int px : {64, 224}) {
    const Pixels expected = TestImage(absl::StrCat("photo_17_29_101_120_to_", px, ".png"));
    EXPECT_LE(LargestDifference(ResizeCrop(crop, px, false), expected), 2) << px;
  }
}

TEST(ResizeCropTest, FlipMirrorsColumns) {
  const Pixels crop = CutPixels(TestImage("photo.jpg"), {17, 29, 101, 120});
  for (const Pixels& image : {crop, CutPixels(crop, {0, 0, 32, 32})}) {  // resized, and taken as it is
    const at::Tensor straight = ResizeCrop(image, 32, false);
    const at::Tensor mirrored = ResizeCrop(image, 32, true);
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < 32 * 32; ++i) ASSERT_EQ(At(mirrored, c, i / 32, i % 32), At(straight, c, i / 32, 31 - i % 32));
    }
  }
}

TEST(ResizeCropTest, OnePixelFillsTheView) {
  const at::Tensor view = ResizeCrop(TestImage("one_pixel.png"), 16, false);
  for (int i = 0; i < 16 * 16; ++i) {
    EXPECT_EQ(At(view, 0, i / 16, i % 16), 10);
    EXPECT_EQ(At(view, 1, i / 16, i % 16), 200);
    EXPECT_EQ(At(view, 2, i / 16, i % 16), 90);
  }
}

TEST(EvaluationCropTest, IsWithinTwoOfTorchvisions) {
  EXPECT_LE(LargestDifference(EvaluationCrop(TestImage("photo.jpg"), 112), TestImage("photo_evaluation_112.png")), 2);
}

TEST(EvaluationCropTest, LeavesAnImageOfThatSizeUntouched) {
  const Pixels square = CutPixels(TestImage("photo.jpg"), {10, 20, 96, 96});
  EXPECT_EQ(LargestDifference(EvaluationCrop(square, 96), square), 0);
}

TEST(EvaluationCropTest, TakesOddShapes) {
  for (const char* name : {"one_pixel.png", "wide.png"}) {
    const at::Tensor view = EvaluationCrop(TestImage(name), 64);
    EXPECT_EQ(view.size(0), 3) << name;
    EXPECT_EQ(view.size(1), 64) << name;
    EXPECT_EQ(view.size(2), 64) << name;
  }
}

}  // namespace
}  // namespace mimeo
