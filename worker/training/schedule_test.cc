#include "worker/training/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mimeo {
namespace {

// MAE's headline run on ImageNet-1k: 1,281,167 images, batch 4096, 1600 epochs of 312 steps.
constexpr int64_t kImages = 1281167, kStepsPerEpoch = 312;

JobSpec Mae() {
  JobSpec spec;
  spec.mutable_data()->set_global_batch(4096);
  spec.mutable_optimizer()->mutable_adamw()->set_base_rate(1.5e-4);
  spec.mutable_schedule()->set_epochs(1600);
  spec.mutable_schedule()->set_warmup_epochs(40);
  spec.mutable_schedule()->set_min_rate(0);
  return spec;
}

TEST(ScheduleTest, PeakFollowsTheBatch) { EXPECT_DOUBLE_EQ(PeakRate(Mae()), 2.4e-3); }

TEST(ScheduleTest, RatesOfMaeAtWholeEpochs) {
  const JobSpec spec = Mae();
  const std::pair<double, double> golden[] = {
      {0, 0},       {1, 6.0e-5},         {10, 6.0e-4},        {39.5, 2.37e-3},
      {40, 2.4e-3}, {400, 2.0982129e-3}, {800, 1.2483191e-3}, {1200, 3.6873078e-4},
      {1600, 0}};
  for (const auto& [epoch, rate] : golden) {
    const auto step = static_cast<int64_t>(epoch * kStepsPerEpoch);
    EXPECT_NEAR(LearningRate(spec, step, kImages), rate, 1e-10) << "epoch " << epoch;
  }
}

TEST(ScheduleTest, MovesWithEveryStepAndNotWithEveryEpoch) {
  const JobSpec spec = Mae();
  EXPECT_NEAR(LearningRate(spec, 1, kImages), 2.4e-3 / (40 * kStepsPerEpoch), 1e-15);
  for (int64_t step = 40 * kStepsPerEpoch; step < 41 * kStepsPerEpoch; ++step) {
    EXPECT_GT(LearningRate(spec, step, kImages), LearningRate(spec, step + 1, kImages)) << step;
  }
}

TEST(ScheduleTest, InStepsItIsTheSameCurve) {
  JobSpec spec = Mae();
  spec.mutable_schedule()->clear_epochs();
  spec.mutable_schedule()->clear_warmup_epochs();
  spec.mutable_schedule()->set_steps(1600 * kStepsPerEpoch);
  spec.mutable_schedule()->set_warmup_steps(40 * kStepsPerEpoch);
  for (const int64_t step : {0, 1, 5000, 12480, 12481, 100000, 499199}) {
    EXPECT_NEAR(LearningRate(spec, step, 7), LearningRate(Mae(), step, kImages), 1e-15) << step;
  }
}

TEST(ScheduleTest, EndsAtTheLowestRateAndNeedsNoWarmup) {
  JobSpec spec = Mae();
  spec.mutable_schedule()->set_min_rate(1e-5);
  spec.mutable_schedule()->set_warmup_epochs(0);
  EXPECT_DOUBLE_EQ(LearningRate(spec, 0, kImages), 2.4e-3);
  EXPECT_NEAR(LearningRate(spec, 800 * kStepsPerEpoch, kImages), (2.4e-3 + 1e-5) / 2, 1e-15);
  EXPECT_NEAR(LearningRate(spec, 1600 * kStepsPerEpoch, kImages), 1e-5, 1e-15);
}

}  // namespace
}  // namespace mimeo
