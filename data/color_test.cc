#include "data/color.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "data/decode.h"

namespace mimeo {
namespace {

constexpr CropShape kColour = {3, 40, 57};

Pixels TestImage(const std::string& name) {
  return DecodeImage(ReadFile(absl::StrCat("data/testdata/", name)).value(), 1000000).value();
}

std::vector<uint8_t> Planes(const Pixels& pixels, std::vector<int> channels) {
  std::vector<uint8_t> planes;
  for (const int channel : channels) {
    for (size_t i = channel; i < pixels.rgb.size(); i += 3) planes.push_back(pixels.rgb[i]);
  }
  return planes;
}

// The part of the photo that make_color_golden.py takes.
std::vector<uint8_t> Photo(std::vector<int> channels = {0, 1, 2}) {
  return Planes(CutPixels(TestImage("photo.jpg.rgb.png"), {60, 70, 57, 40}), std::move(channels));
}

int LargestDifference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  if (a.size() != b.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

ColorPlan JitterOnly(double ColorPlan::*factor, double value) {
  ColorPlan plan;
  plan.jitter = true;
  plan.*factor = value;
  return plan;
}

// The golden images' operations: data/testdata/make_color_golden.py.
std::map<std::string, ColorPlan> GoldenPlans() {
  std::map<std::string, ColorPlan> plans;
  plans["brightness"] = JitterOnly(&ColorPlan::brightness, 1.37);
  plans["contrast"] = JitterOnly(&ColorPlan::contrast, 0.63);
  plans["saturation"] = JitterOnly(&ColorPlan::saturation, 1.71);
  plans["hue"] = JitterOnly(&ColorPlan::hue, 0.23);
  plans["grey"].grey = true;
  plans["blur"].blur = true;
  plans["blur"].blur_kernel_px = 23;
  plans["blur"].blur_sigma = 1.3;
  plans["solarize"].solarize = true;
  plans["solarize"].solarize_threshold = 128;
  ColorPlan& all = plans["all"];
  all.jitter = all.blur = all.solarize = true;
  all.order = {Jitter::kHue, Jitter::kContrast, Jitter::kBrightness, Jitter::kSaturation};
  all.hue = -0.1, all.contrast = 0.7, all.brightness = 1.2, all.saturation = 1.5;
  all.blur_kernel_px = 5, all.blur_sigma = 0.8, all.solarize_threshold = 128;
  return plans;
}

TEST(ApplyColorTest, EqualsTorchvision) {
  for (const auto& [name, plan] : GoldenPlans()) {
    std::vector<uint8_t> planes = Photo();
    ApplyColor(plan, kColour, planes.data());
    const std::vector<uint8_t> expected = Planes(TestImage(absl::StrCat("color_", name, ".png")), {0, 1, 2});
    EXPECT_GT(LargestDifference(Photo(), expected), 10) << name << " changes the photo";
    // Two sums of one dimension and one of two differ in their last bits, which a value near a half shows.
    EXPECT_LE(LargestDifference(planes, expected), name == "blur" ? 1 : 0) << name;
  }
}

TEST(ApplyColorTest, EqualsTorchvisionOnOneChannel) {
  ColorPlan plan;
  plan.jitter = plan.blur = plan.solarize = plan.grey = true;
  plan.brightness = 0.8, plan.contrast = 1.4, plan.saturation = 0.1, plan.hue = 0.4;
  plan.blur_kernel_px = 7, plan.blur_sigma = 1.1, plan.solarize_threshold = 100;
  std::vector<uint8_t> planes = Photo({1});
  ApplyColor(plan, {1, 40, 57}, planes.data());
  EXPECT_EQ(LargestDifference(planes, Planes(TestImage("color_one_channel.png"), {0})), 0);
}

TEST(ApplyColorTest, TheOrderOfTheJitterMatters) {
  ColorPlan plan = GoldenPlans()["all"];
  std::vector<uint8_t> first = Photo(), second = Photo();
  ApplyColor(plan, kColour, first.data());
  std::reverse(plan.order.begin(), plan.order.end());
  ApplyColor(plan, kColour, second.data());
  EXPECT_GT(LargestDifference(first, second), 1);
}

TEST(ApplyColorTest, NothingDrawnChangesNothing) {
  std::vector<uint8_t> planes = Photo();
  ApplyColor(ColorPlan(), kColour, planes.data());
  EXPECT_EQ(planes, Photo());
  ColorPlan neutral;
  neutral.jitter = true;
  ApplyColor(neutral, kColour, planes.data());
  EXPECT_EQ(planes, Photo());
}

// Flips may come before or after: data/augment.h flips while it resizes.
TEST(ApplyColorTest, CommutesWithAHorizontalFlip) {
  const auto flipped = [](std::vector<uint8_t> planes) {
    for (auto row = planes.begin(); row != planes.end(); row += kColour.width_px) {
      std::reverse(row, row + kColour.width_px);
    }
    return planes;
  };
  for (const auto& [name, plan] : GoldenPlans()) {
    std::vector<uint8_t> before = flipped(Photo()), after = Photo();
    ApplyColor(plan, kColour, before.data());
    ApplyColor(plan, kColour, after.data());
    EXPECT_EQ(before, flipped(after)) << name;
  }
}

// BYOL's second view (arXiv 2006.07733, table 6).
ColorSpec Byol() {
  ColorSpec spec;
  spec.set_brightness(0.4), spec.set_contrast(0.4), spec.set_saturation(0.2), spec.set_hue(0.1);
  spec.set_jitter_probability(0.8);
  spec.set_grey_probability(0.2);
  spec.set_blur_probability(0.1), spec.set_blur_sigma_min(0.1), spec.set_blur_sigma_max(2), spec.set_blur_kernel_px(23);
  spec.set_solarize_probability(0.3), spec.set_solarize_threshold(128);
  return spec;
}

constexpr int kDraws = 6000;

TEST(DrawColorPlanTest, AppliesEachOperationAsOftenAsItsProbability) {
  double jitters = 0, greys = 0, blurs = 0, solarizes = 0, both = 0;
  for (int i = 0; i < kDraws; ++i) {
    const ColorPlan plan = DrawColorPlan(Byol(), RandomKey(4).Fold(i));
    jitters += plan.jitter, greys += plan.grey, blurs += plan.blur, solarizes += plan.solarize;
    both += plan.grey && plan.solarize;
    EXPECT_EQ(plan.blur_kernel_px, 23);
    EXPECT_EQ(plan.solarize_threshold, 128);
  }
  // Four standard deviations of a share of 6000 draws are at most 0.026.
  EXPECT_NEAR(jitters / kDraws, 0.8, 0.021);
  EXPECT_NEAR(greys / kDraws, 0.2, 0.021);
  EXPECT_NEAR(blurs / kDraws, 0.1, 0.016);
  EXPECT_NEAR(solarizes / kDraws, 0.3, 0.024);
  EXPECT_NEAR(both / kDraws, 0.2 * 0.3, 0.013) << "they are independent";
}

TEST(DrawColorPlanTest, FactorsAreUniformInTheirRanges) {
  struct Range {
    double ColorPlan::*factor;
    double low, high;
  };
  const std::vector<Range> ranges = {{&ColorPlan::brightness, 0.6, 1.4},
                                     {&ColorPlan::contrast, 0.6, 1.4},
                                     {&ColorPlan::saturation, 0.8, 1.2},
                                     {&ColorPlan::hue, -0.1, 0.1},
                                     {&ColorPlan::blur_sigma, 0.1, 2}};
  for (const Range& range : ranges) {
    double sum = 0, squares = 0;
    for (int i = 0; i < kDraws; ++i) {
      const double value = DrawColorPlan(Byol(), RandomKey(5).Fold(i)).*range.factor;
      ASSERT_GE(value, range.low);
      ASSERT_LE(value, range.high);
      const double share = (value - range.low) / (range.high - range.low);
      sum += share / kDraws, squares += share * share / kDraws;
    }
    EXPECT_NEAR(sum, 0.5, 0.015);  // four standard deviations
    EXPECT_NEAR(squares - sum * sum, 1.0 / 12, 0.004);
  }
  ColorSpec strong = Byol();
  strong.set_brightness(3);
  for (int i = 0; i < 100; ++i) EXPECT_GE(DrawColorPlan(strong, RandomKey(6).Fold(i)).brightness, 0);
}

TEST(DrawColorPlanTest, EveryOrderOfTheJitterIsAsLikely) {
  std::map<std::array<Jitter, 4>, int> orders;
  for (int i = 0; i < kDraws; ++i) ++orders[DrawColorPlan(Byol(), RandomKey(7).Fold(i)).order];
  ASSERT_EQ(orders.size(), 24u);
  for (const auto& [order, count] : orders) EXPECT_NEAR(count, kDraws / 24.0, 62) << "four standard deviations";
}

TEST(DrawColorPlanTest, IsAFunctionOfItsKeyAndAProbabilityChangesNothingElse) {
  ColorSpec changed = Byol();
  changed.set_grey_probability(1);
  changed.set_jitter_probability(0);
  for (int i = 0; i < 50; ++i) {
    const RandomKey key = RandomKey(8).Fold(i);
    const ColorPlan plan = DrawColorPlan(Byol(), key), again = DrawColorPlan(Byol(), key),
                    other = DrawColorPlan(changed, key);
    EXPECT_TRUE(plan.order == again.order && plan.hue == again.hue && plan.blur == again.blur &&
                plan.grey == again.grey);
    EXPECT_TRUE(other.grey && !other.jitter);
    EXPECT_TRUE(plan.order == other.order && plan.brightness == other.brightness && plan.contrast == other.contrast);
    EXPECT_TRUE(plan.saturation == other.saturation && plan.hue == other.hue && plan.blur_sigma == other.blur_sigma);
    EXPECT_TRUE(plan.blur == other.blur && plan.solarize == other.solarize);
  }
}

TEST(DrawColorPlanTest, ASpecWithoutStrengthLeavesFactorsNeutral) {
  ColorSpec spec;
  spec.set_jitter_probability(1);
  const ColorPlan plan = DrawColorPlan(spec, RandomKey(9));
  EXPECT_TRUE(plan.brightness == 1 && plan.contrast == 1 && plan.saturation == 1 && plan.hue == 0);
}

}  // namespace
}  // namespace mimeo
