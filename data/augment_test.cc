#include "data/augment.h"

#include <ATen/core/Tensor.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

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

CropShape Square(int px) { return {3, px, px}; }

uint8_t At(const at::Tensor& image_CHW, int64_t channel, int64_t y, int64_t x) {
  return image_CHW.const_data_ptr<uint8_t>()[(channel * image_CHW.size(1) + y) * image_CHW.size(2) + x];
}

int LargestDifference(const at::Tensor& image_CHW, const Pixels& expected) {
  if (image_CHW.size(1) != expected.height || image_CHW.size(2) != expected.width) return 256;
  int largest = 0;
  for (int y = 0; y < expected.height; ++y) {
    for (int x = 0; x < expected.width; ++x) {
      for (int c = 0; c < image_CHW.size(0); ++c) {
        largest = std::max(largest, std::abs(At(image_CHW, c, y, x) - expected.rgb[(y * expected.width + x) * 3 + c]));
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
  // No crop of at least a fifth of the area fits with a ratio up to 4/3: the whole height, and the width that 4/3
  // allows.
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
    EXPECT_LE(LargestDifference(ResizeCrop(crop, Square(px), false), expected), 2) << px;
  }
}

TEST(ResizeCropTest, BilinearIsWithinTwoOfPillowsAndNotBicubic) {
  const Pixels crop = CutPixels(TestImage("photo.jpg"), {17, 29, 101, 120});
  for (const int px : {64, 224}) {
    const Pixels expected = TestImage(absl::StrCat("photo_17_29_101_120_to_", px, "_bilinear.png"));
    EXPECT_LE(LargestDifference(ResizeCrop(crop, Square(px), false, INTERPOLATION_BILINEAR), expected), 2) << px;
    EXPECT_GT(LargestDifference(ResizeCrop(crop, Square(px), false, INTERPOLATION_BICUBIC), expected), 10) << px;
  }
}

TEST(ResizeCropTest, MakesRectanglesAndGrey) {
  const Pixels crop = CutPixels(TestImage("photo.jpg"), {17, 29, 101, 120});
  const at::Tensor colour = ResizeCrop(crop, {3, 48, 80}, false);
  EXPECT_EQ(colour.sizes(), at::IntArrayRef({3, 48, 80}));
  EXPECT_LE(LargestDifference(colour, TestImage("photo_17_29_101_120_to_48x80.png")), 2);
  const at::Tensor grey = ResizeCrop(crop, {1, 48, 80}, false);
  EXPECT_EQ(grey.sizes(), at::IntArrayRef({1, 48, 80}));
  EXPECT_LE(LargestDifference(grey, TestImage("photo_luma_17_29_101_120_to_48x80.png")), 2);
  const at::Tensor mirrored = ResizeCrop(crop, {1, 48, 80}, true);
  for (int i = 0; i < 48 * 80; ++i) ASSERT_EQ(At(mirrored, 0, i / 80, i % 80), At(grey, 0, i / 80, 79 - i % 80));
}

TEST(LumaTest, IsPillowsOfEveryPixel) {
  const std::vector<uint8_t> grey = Luma(TestImage("photo.jpg"));
  const Pixels expected = TestImage("photo_luma.png");
  ASSERT_EQ(grey.size() * 3, expected.rgb.size());
  for (size_t i = 0; i < grey.size(); ++i) ASSERT_EQ(grey[i], expected.rgb[3 * i]) << i;
}

TEST(LumaTest, GreyImagesStayWhatTheyAre) {
  for (const char* name : {"grey.png", "grey.jpg", "grey16.png", "one_bit.png"}) {
    const Pixels pixels = TestImage(name);
    const std::vector<uint8_t> grey = Luma(pixels);
    for (size_t i = 0; i < grey.size(); ++i) ASSERT_EQ(grey[i], pixels.rgb[3 * i]) << name;
  }
  Pixels every{256, 1, {}};
  for (int i = 0; i < 256; ++i) every.rgb.insert(every.rgb.end(), 3, static_cast<uint8_t>(i));
  const std::vector<uint8_t> grey = Luma(every);
  for (int i = 0; i < 256; ++i) EXPECT_EQ(grey[i], i);
}

TEST(ResizeCropTest, FlipMirrorsColumns) {
  const Pixels crop = CutPixels(TestImage("photo.jpg"), {17, 29, 101, 120});
  for (const Pixels& image : {crop, CutPixels(crop, {0, 0, 32, 32})}) {  // resized, and taken as it is
    const at::Tensor straight = ResizeCrop(image, Square(32), false);
    const at::Tensor mirrored = ResizeCrop(image, Square(32), true);
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < 32 * 32; ++i) {
        ASSERT_EQ(At(mirrored, c, i / 32, i % 32), At(straight, c, i / 32, 31 - i % 32));
      }
    }
  }
}

TEST(ResizeCropTest, OnePixelFillsTheView) {
  const at::Tensor view = ResizeCrop(TestImage("one_pixel.png"), Square(16), false);
  for (int i = 0; i < 16 * 16; ++i) {
    EXPECT_EQ(At(view, 0, i / 16, i % 16), 10);
    EXPECT_EQ(At(view, 1, i / 16, i % 16), 200);
    EXPECT_EQ(At(view, 2, i / 16, i % 16), 90);
  }
}

TEST(EvaluationCropTest, IsWithinTwoOfTorchvisions) {
  EXPECT_LE(
      LargestDifference(EvaluationCrop(TestImage("photo.jpg"), Square(112)), TestImage("photo_evaluation_112.png")), 2);
}

TEST(EvaluationCropTest, CoversARectangleFromItsMiddle) {
  for (const auto& [height, width] : {std::make_pair(64, 112), std::make_pair(192, 64)}) {
    const at::Tensor view = EvaluationCrop(TestImage("photo.jpg"), {3, height, width});
    EXPECT_EQ(view.sizes(), at::IntArrayRef({3, height, width}));
    EXPECT_LE(LargestDifference(view, TestImage(absl::StrCat("photo_evaluation_", height, "x", width, ".png"))), 2);
  }
}

TEST(EvaluationCropTest, AGreyCropIsTheCropOfGreyPixels) {
  const CropShape shape{1, 64, 112};
  const at::Tensor view = EvaluationCrop(TestImage("photo.jpg"), shape);
  EXPECT_EQ(view.sizes(), at::IntArrayRef({1, 64, 112}));
  EXPECT_TRUE(view.equal(EvaluationCrop(TestImage("photo_luma.png"), shape)));
}

TEST(EvaluationCropTest, LeavesAnImageOfThatSizeUntouched) {
  const Pixels square = CutPixels(TestImage("photo.jpg"), {10, 20, 96, 96});
  EXPECT_EQ(LargestDifference(EvaluationCrop(square, Square(96)), square), 0);
}

TEST(EvaluationCropTest, TakesOddShapes) {
  const Pixels tall{1, 9000, std::vector<uint8_t>(27000, 7)};
  for (const Pixels& image : {TestImage("one_pixel.png"), TestImage("wide.png"), tall}) {
    for (const CropShape& shape : {Square(64), CropShape{1, 8, 224}, CropShape{3, 224, 8}}) {
      const at::Tensor view = EvaluationCrop(image, shape);
      EXPECT_EQ(view.sizes(), at::IntArrayRef({shape.channels, shape.height_px, shape.width_px}));
    }
  }
}

// The middle of an image 100 times as long as the crop asks; what lies beyond it is not looked at.
TEST(EvaluationCropTest, OfAVeryLongImageTheMiddleCounts) {
  Pixels wide{4000, 20, std::vector<uint8_t>(4000 * 20 * 3, 255)};
  const Rect middle{1840, 0, 320, 20};  // 8 times the 40 x 20 that a crop twice as wide as high takes
  for (int y = 0; y < 20; ++y) {
    for (int x = middle.left; x < middle.left + middle.width; ++x) {
      wide.rgb[(y * 4000 + x) * 3] = static_cast<uint8_t>(x + 7 * y);
    }
  }
  const CropShape shape{3, 32, 64};
  EXPECT_TRUE(EvaluationCrop(wide, shape).equal(EvaluationCrop(CutPixels(wide, middle), shape)));
}

}  // namespace
}  // namespace mimeo
