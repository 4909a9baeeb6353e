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

// np.linspace(0, peak, W) followed by half a cosine over arange(N - W) / (N - W), as facebookresearch/dino's utils.py,
// cosine_scheduler, computes it: W = 4 of N = 10, peak 2e-3, lowest 1e-6.
TEST(ScheduleTest, DinosWarmupHasThePeakInItsLastStep) {
  JobSpec spec = Mae();
  spec.mutable_data()->set_global_batch(256);
  spec.mutable_optimizer()->mutable_adamw()->set_base_rate(2e-3);
  spec.mutable_schedule()->set_steps(10);
  spec.mutable_schedule()->set_warmup_steps(4);
  spec.mutable_schedule()->set_min_rate(1e-6);
  spec.mutable_schedule()->set_peak_in_warmup(true);
  const double golden[] = {0,         6.66666666666666667e-4, 1.33333333333333333e-3, 2e-3, 2e-3, 0.0018660923910825465,
                           1.50025e-3};
  for (int step = 0; step < 7; ++step) EXPECT_NEAR(LearningRate(spec, step, 7), golden[step], 1e-12) << step;
  // In epochs of 2 steps it is the same.
  spec.mutable_schedule()->set_epochs(5);
  spec.mutable_schedule()->set_warmup_epochs(2);
  for (int step = 0; step < 7; ++step) EXPECT_NEAR(LearningRate(spec, step, 512), golden[step], 1e-12) << step;
}

TEST(ProgressTest, EndsWithTheLastStepOrOneLater) {
  ScheduleSpec schedule;
  EXPECT_EQ(ProgressAt(schedule, 0, 5), 0);
  EXPECT_EQ(ProgressAt(schedule, 1, 5), 0.25);
  EXPECT_EQ(ProgressAt(schedule, 4, 5), 1);
  EXPECT_EQ(ProgressAt(schedule, 0, 1), 0);
  schedule.set_end_after_last_step(true);
  EXPECT_EQ(ProgressAt(schedule, 1, 5), 0.2);
  EXPECT_EQ(ProgressAt(schedule, 4, 5), 0.8);
}

}  // namespace
}  // namespace mimeo
