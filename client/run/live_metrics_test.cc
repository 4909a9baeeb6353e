#include "client/run/live_metrics.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "client/metrics/metric_rows.h"

namespace mimeo {
namespace {

StepMetrics Step(int64_t number, double loss) {
  StepMetrics step;
  step.set_step(number);
  step.set_loss(loss);
  return step;
}

TEST(LiveMetricsTest, LinesStandThereAsTheyComeAndASessionBeginsAnew) {
  const TempDir dir;
  std::string said;
  const auto say = [&](absl::string_view line) { absl::StrAppend(&said, line); };
  {
    LiveMetrics live(dir.path(), dir.path() + "/events", say);
    live.Add({Step(1, 1), Step(2, 2)}, {});
    EXPECT_EQ(ReadMetricRows(dir.path())->size(), 2u);
    EvaluationResult evaluation;
    evaluation.set_step(2);
    live.Add({Step(3, 3)}, {evaluation});
    EXPECT_EQ(ReadMetricRows(dir.path())->size(), 4u);
  }
  LiveMetrics again(dir.path(), "", say);
  again.Add({Step(1, 10)}, {});
  const auto rows = ReadMetricRows(dir.path());
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->size(), 2u) << "step 1 and the evaluation";
  EXPECT_EQ(rows->front().values[2].second, 10);
  EXPECT_EQ(said, "");
  EXPECT_FALSE(std::filesystem::is_empty(dir.path() + "/events"));
}

TEST(LiveMetricsTest, WhatCannotBeWrittenIsSaidOnce) {
  int said = 0;
  LiveMetrics live("/proc/none", "/proc/events", [&](absl::string_view) { ++said; });
  for (int64_t step = 1; step < 4; ++step) live.Add({Step(step, 1)}, {});
  EXPECT_EQ(said, 1);
}

}  // namespace
}  // namespace mimeo
