#include "model/mask_plan.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace mimeo {
namespace {

std::vector<RandomKey> Keys(int count) {
  std::vector<RandomKey> keys;
  for (int i = 0; i < count; ++i) keys.push_back(RandomKey(11).Fold("mask").Fold(i));
  return keys;
}

std::vector<int64_t> Row(const at::Tensor& index_BK, int64_t row) {
  const int64_t* begin = index_BK.data_ptr<int64_t>() + row * index_BK.size(1);
  return std::vector<int64_t>(begin, begin + index_BK.size(1));
}

TEST(MaskPlanTest, EveryRowIsAPartitionInAscendingOrder) {
  const MaskPlan plan = RandomMaskPlan(Keys(50), 196, 49);
  for (int64_t b = 0; b < 50; ++b) {
    const std::vector<int64_t> visible = Row(plan.visible_BK, b), hidden = Row(plan.hidden_BM, b);
    EXPECT_EQ(visible.size(), 49u);
    EXPECT_TRUE(std::is_sorted(visible.begin(), visible.end()));
    EXPECT_TRUE(std::is_sorted(hidden.begin(), hidden.end()));
    std::set<int64_t> all(visible.begin(), visible.end());
    all.insert(hidden.begin(), hidden.end());
    EXPECT_EQ(all.size(), 196u);
    EXPECT_EQ(*all.begin(), 0);
    EXPECT_EQ(*all.rbegin(), 195);
  }
}

// Each patch is visible with probability K / L, and each pair with K (K - 1) / (L (L - 1)): 5 standard deviations.
TEST(MaskPlanTest, PatchesAndPairsAreUniform) {
  constexpr int kImages = 20000, kPatches = 9, kVisible = 3;
  const MaskPlan plan = RandomMaskPlan(Keys(kImages), kPatches, kVisible);
  std::vector<int> patch(kPatches, 0), pair(kPatches * kPatches, 0);
  for (int64_t b = 0; b < kImages; ++b) {
    const std::vector<int64_t> visible = Row(plan.visible_BK, b);
    for (int64_t i : visible) {
      ++patch[i];
      for (int64_t j : visible) pair[i * kPatches + j] += i != j;
    }
  }
  for (int count : patch) EXPECT_NEAR(count, kImages / 3.0, 5 * std::sqrt(kImages * (1 / 3.0) * (2 / 3.0)));
  for (int i = 0; i < kPatches; ++i) {
    for (int j = 0; j < i; ++j) {
      EXPECT_NEAR(pair[i * kPatches + j], kImages / 12.0, 5 * std::sqrt(kImages / 12.0)) << i << " " << j;
    }
  }
}

TEST(MaskPlanTest, AnImagesPlanDependsOnItsKeyOnly) {
  const std::vector<RandomKey> keys = Keys(3);
  const MaskPlan all = RandomMaskPlan(keys, 16, 4);
  const MaskPlan last = RandomMaskPlan({keys[2]}, 16, 4);
  EXPECT_EQ(Row(all.visible_BK, 2), Row(last.visible_BK, 0));
  EXPECT_NE(Row(all.visible_BK, 0), Row(all.visible_BK, 1));
}

TEST(MaskPlanTest, TheExtremes) {
  EXPECT_EQ(RandomMaskPlan(Keys(2), 4, 4).hidden_BM.size(1), 0);
  EXPECT_EQ(RandomMaskPlan(Keys(2), 4, 0).visible_BK.size(1), 0);
  const MaskPlan all = AllVisible(2, 3, at::kCPU);
  EXPECT_EQ(Row(all.visible_BK, 1), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(all.hidden_BM.numel(), 0);
}

TEST(MaskPlanTest, PlaceUndoesTake) {
  const MaskPlan plan = RandomMaskPlan(Keys(4), 16, 5);
  const at::Tensor patches_BLX = at::arange(4 * 16 * 3, at::kFloat).view({4, 16, 3});
  const at::Tensor placed =
      PlacePatches(TakePatches(patches_BLX, plan.visible_BK), at::full({3}, -1, at::kFloat), plan);
  EXPECT_TRUE(at::equal(TakePatches(placed, plan.visible_BK), TakePatches(patches_BLX, plan.visible_BK)));
  EXPECT_TRUE(at::equal(TakePatches(placed, plan.hidden_BM), at::full({4, 11, 3}, -1, at::kFloat)));
  const int64_t third = Row(plan.visible_BK, 1)[3];
  EXPECT_TRUE(at::equal(TakePatches(patches_BLX, plan.visible_BK)[1][3], patches_BLX[1][third]));
}

}  // namespace
}  // namespace mimeo
