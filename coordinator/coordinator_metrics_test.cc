#include "coordinator/coordinator_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

StepMetrics Step(int64_t number, double loss) {
  StepMetrics step;
  step.set_step(number);
  (*step.mutable_terms())["pixels"] = loss;
  return step;
}

// What only some steps have does not vanish behind the newest one.
TEST(CoordinatorMetricsTest, ShowsTheNewestValueOfEachStatistic) {
  Metrics metrics(MetricOwner::kCoordinator);
  CoordinatorMetrics coordinator(&metrics);
  std::vector<StepMetrics> steps = {Step(9, 3), Step(10, 2), Step(11, 1)};
  (*steps[0].mutable_stats())["encoder/effective_rank"] = 4;
  (*steps[1].mutable_stats())["encoder/effective_rank"] = 5;
  coordinator.StepsReported("j1", steps);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("mimeo_coordinator_job_stat{job=\"j1\",stat=\"encoder/effective_rank\"} 5"));
  EXPECT_THAT(text, HasSubstr("mimeo_coordinator_job_loss_term{job=\"j1\",objective=\"pixels\"} 1"));
  EXPECT_THAT(text, HasSubstr("mimeo_coordinator_steps_reported_total 3"));
}

TEST(CoordinatorMetricsTest, AJobThatCameBackStaysVisibleThoughManyEndAfterIt) {
  Metrics metrics(MetricOwner::kCoordinator);
  CoordinatorMetrics coordinator(&metrics);
  for (const std::string job : {"stays", "goes"}) {
    coordinator.JobStep(job, 7);
    coordinator.JobEnded(job);
  }
  coordinator.JobGoesOn("stays");
  for (int i = 0; i < 30; ++i) coordinator.JobEnded(std::to_string(i));
  EXPECT_THAT(metrics.Text(), HasSubstr("mimeo_coordinator_job_step{job=\"stays\"} 7"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("goes")));
}

}  // namespace
}  // namespace mimeo
