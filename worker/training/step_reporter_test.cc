#include "worker/training/step_reporter.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "worker/training/testing/local_gang.h"
#include "worker/training/testing/port_notes.h"
#include "worker/training/testing/tiny_model.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::RunAsGang;
using testing::StatusIs;

struct Reporting {
  Reporting(Gang* gang, size_t steps_in_flight)
      : model(spec),
        reducer(gang, model.parameters),
        reporter(spec, {/*steps_per_epoch=*/4, at::kCPU, steps_in_flight},
                 UtilizationMeter(spec, gang->size(), DeviceInfo(), at::kCPU),
                 {gang, &reducer, {&status, &steps, &checkpoints}}) {}

  absl::Status Add(int64_t step, double loss, bool skipped = false) {
    StepResult result;
    result.loss = at::full({}, loss);
    result.terms["pixels"] = at::full({}, 2 * loss);
    result.grad_norm = at::full({}, skipped ? std::nan("") : 3.0);
    result.skipped = at::full({}, skipped ? 1.0 : 0.0);
    StepFacts facts;
    facts.step = step, facts.learning_rate = 0.5, facts.sample_ids = {70 + step};
    return reporter.Add(result, facts);
  }

  const JobSpec spec = testing::TinySpec();
  testing::TinyModel model;
  GradientReducer reducer;
  testing::StatusNotes status;
  testing::StepNotes steps;
  testing::CheckpointNotes checkpoints;
  StepReporter reporter;
};

TEST(StepReporterTest, AStepIsReadAtOnceOrOneStepLater) {
  RunAsGang(1, [](Gang* gang) {
    Reporting at_once(gang, 0), later(gang, 1);
    for (int step = 1; step <= 3; ++step) {
      EXPECT_OK(at_once.Add(step, step));
      EXPECT_OK(later.Add(step, step));
    }
    EXPECT_THAT(at_once.steps.Losses(), ElementsAre(1, 2, 3));
    EXPECT_THAT(later.steps.Losses(), ElementsAre(1, 2));
    EXPECT_EQ(later.status.newest.step, 2);
    EXPECT_OK(later.reporter.Flush());
    EXPECT_THAT(later.steps.Losses(), ElementsAre(1, 2, 3));
    EXPECT_OK(later.reporter.Flush());
    EXPECT_EQ(later.steps.steps.size(), 3u);
  });
}

TEST(StepReporterTest, MeansAreOverAllRanksAndAStepSaysWhatItKnows) {
  RunAsGang(2, [](Gang* gang) {
    Reporting reporting(gang, 1);
    reporting.checkpoints.committed = 7;
    EXPECT_OK(reporting.Add(8, gang->rank() == 0 ? 1 : 5));
    EXPECT_OK(reporting.reporter.Flush());
    ASSERT_EQ(reporting.steps.steps.size(), 1u);
    const StepMetrics& step = reporting.steps.steps[0];
    EXPECT_EQ(step.step(), 8);
    EXPECT_EQ(step.loss(), 3);
    EXPECT_EQ(step.terms().at("pixels"), 6);
    EXPECT_EQ(step.grad_norm(), 3);
    EXPECT_EQ(step.learning_rate(), 0.5);
    EXPECT_EQ(step.epoch(), 2);
    EXPECT_EQ(step.images(), 8 * 24);
    EXPECT_GT(step.utilization().step_seconds(), 0);
    EXPECT_GT(step.utilization().gflop_per_second(), 0);
    EXPECT_EQ(step.utilization().peak_gflop_per_second(), 0) << "an unknown device";
    EXPECT_GT(step.utilization().peak_memory_bytes(), 1 << 20);
    EXPECT_EQ(reporting.status.metrics.at("mimeo_worker_loss"), 3);
    EXPECT_EQ(reporting.status.metrics.at("mimeo_worker_checkpoint_step"), 7);
    EXPECT_EQ(reporting.status.metrics.at("mimeo_worker_stop_need_seconds"), 100 + step.utilization().step_seconds());
    EXPECT_EQ(reporting.status.newest.utilization.step_seconds(), step.utilization().step_seconds());
  });
}

// Whichever rank it is whose gradient is not finite, every rank counts it.
TEST(StepReporterTest, TooManySkippedStepsInARowEndTheJobAndNameTheSamples) {
  RunAsGang(2, [](Gang* gang) {
    Reporting reporting(gang, 1);
    const bool mine = gang->rank() == 1;
    EXPECT_OK(reporting.Add(1, 1, mine));
    EXPECT_OK(reporting.Add(2, 1));  // the row is broken
    int64_t step = 3;
    absl::Status status;
    for (; status.ok() && step < 100; ++step) status = reporting.Add(step, 1, mine);
    // Read one step later: the last of the row had been added the step before.
    EXPECT_EQ(step - 1, 2 + limits::kNonFiniteStepsInARow + 1);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, "steps in a row"));
    EXPECT_NE(status.message().find(absl::StrCat(70 + step - 2)), absl::string_view::npos) << status;
    EXPECT_EQ(reporting.status.metrics.at("mimeo_worker_skipped_steps_total"), limits::kNonFiniteStepsInARow);
  });
}

}  // namespace
}  // namespace mimeo
