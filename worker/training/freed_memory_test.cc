#include "worker/training/freed_memory.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

TEST(GrowthWatchTest, WhatSettlesIsNoGrowth) {
  GrowthWatch watch;
  for (const int64_t mib : {900, 1000, 1000, 1050, 1099, 1099, 1099, 400}) EXPECT_FALSE(watch.HasGrown(mib * kMiB));
}

TEST(GrowthWatchTest, ATenthIsGrowthAndThenItBeginsAnew) {
  GrowthWatch watch;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(watch.HasGrown(1000 * kMiB));
  EXPECT_FALSE(watch.HasGrown(1100 * kMiB));
  EXPECT_TRUE(watch.HasGrown(1101 * kMiB));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(watch.HasGrown(1200 * kMiB)) << "it settles, at whatever it needs";
  EXPECT_FALSE(watch.HasGrown(1300 * kMiB));
  EXPECT_TRUE(watch.HasGrown(1330 * kMiB));
}

TEST(GrowthWatchTest, ASmallProcessMayGrowByThirtyTwoMebibytes) {
  GrowthWatch watch;
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(watch.HasGrown(200 * kMiB));
  EXPECT_FALSE(watch.HasGrown(232 * kMiB));
  EXPECT_TRUE(watch.HasGrown(233 * kMiB));
}

}  // namespace
}  // namespace mimeo
