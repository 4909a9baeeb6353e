#include "base/random_key.h"

#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace mimeo {
namespace {

// Golden values: a change here changes every crop, mask and initial weight of every job ever run.
TEST(RandomKeyTest, NumbersNeverChange) {
  const RandomKey key(7);
  EXPECT_EQ(key.Bits(0), 8657831880306917107ull);
  EXPECT_EQ(key.Fold("crop").Fold(3).Bits(1), 13578330678003712596ull);
  EXPECT_EQ(RandomKey(1).Permutation(8), (std::vector<int64_t>{1, 0, 2, 3, 6, 4, 7, 5}));
}

TEST(RandomKeyTest, ChildrenDifferFromTheirParentAndFromEachOther) {
  const RandomKey key(7);
  std::set<uint64_t> seen = {key.Bits(0), key.Bits(1), key.Fold("crop").Bits(0), key.Fold("mask").Bits(0)};
  for (uint64_t id = 0; id < 100; ++id) seen.insert(key.Fold(id).Bits(0));
  EXPECT_EQ(seen.size(), 104u);
}

TEST(RandomKeyTest, UniformFillsItsInterval) {
  const RandomKey key(11);
  double sum = 0, sum_of_squares = 0;
  const int n = 20000;
  for (int i = 0; i < n; ++i) {
    const double u = key.Uniform(i);
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    sum_of_squares += u * u;
  }
  EXPECT_NEAR(sum / n, 0.5, 0.01);
  EXPECT_NEAR(sum_of_squares / n, 1.0 / 3, 0.01);
}

TEST(RandomKeyTest, NormalHasUnitVariance) {
  const RandomKey key(12);
  double sum = 0, sum_of_squares = 0;
  const int n = 20000;
  for (int i = 0; i < n; ++i) {
    const double x = key.Normal(i);
    sum += x;
    sum_of_squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0, 0.03);
  EXPECT_NEAR(sum_of_squares / n, 1, 0.05);
}

TEST(RandomKeyTest, PermutationsAreUniform) {
  std::map<std::vector<int64_t>, int> counts;
  for (uint64_t i = 0; i < 6000; ++i) ++counts[RandomKey(5).Fold(i).Permutation(3)];
  ASSERT_EQ(counts.size(), 6u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 150);
}

TEST(RandomKeyTest, PermutationOfNothingAndOfOne) {
  EXPECT_TRUE(RandomKey(1).Permutation(0).empty());
  EXPECT_EQ(RandomKey(1).Permutation(1), std::vector<int64_t>{0});
}

}  // namespace
}  // namespace mimeo
