#include "client/metrics/metric_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/file.h"
#include "client/metrics_json.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;

StepMetrics Step(int64_t number, double loss) {
  StepMetrics step;
  step.set_step(number);
  step.set_loss(loss);
  (*step.mutable_terms())["pixels, \"hidden\""] = 0.1;
  (*step.mutable_stats())["encoder/effective_rank"] = 3;
  step.mutable_time()->set_seconds(1700000000 + number);
  return step;
}

EvaluationResult Evaluation(int64_t step, double accuracy) {
  EvaluationResult evaluation;
  evaluation.set_step(step);
  (*evaluation.mutable_values())["knn_accuracy"] = accuracy;
  return evaluation;
}

TEST(MetricRowsTest, ARowHasWhatTheLineHas) {
  const MetricRow row = RowOf(Step(3, 0.5));
  EXPECT_EQ(row.step, 3);
  EXPECT_EQ(row.time, 1700000003);
  EXPECT_FALSE(row.is_evaluation);
  EXPECT_EQ(row.values[2], (std::pair<std::string, double>("loss", 0.5)));
  EXPECT_TRUE(std::isnan(RowOf(Step(3, std::numeric_limits<double>::infinity())).values[2].second));
  EXPECT_EQ(RowOf(Evaluation(0, 0.25)).values[0], (std::pair<std::string, double>("evaluation/knn_accuracy", 0.25)));
}

TEST(CsvTextTest, OneLineForEachStepAndStableColumns) {
  const std::string csv = CsvText(
      {RowOf(Evaluation(0, 0.1)), RowOf(Step(1, 0.1)), RowOf(Step(2, std::nan(""))), RowOf(Evaluation(2, 0.3))});
  EXPECT_EQ(csv,
            "step,time,epoch,images,loss,learning_rate,grad_norm,images_per_second,data_wait,teacher_wait,"
            "\"loss/pixels, \"\"hidden\"\"\",stat/encoder/effective_rank,evaluation/knn_accuracy\n"
            "0,,,,,,,,,,,,0.1\n"
            "1,1700000001,0,0,0.1,0,0,0,0,0,0.1,3,\n"
            "2,1700000002,0,0,nan,0,0,0,0,0,0.1,3,0.3\n");
  EXPECT_EQ(CsvText({}), "step,time\n");
}

class ReadMetricRowsTest : public ::testing::Test {
 protected:
  void File(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(WriteFileAtomic(JoinPath(dir_.path(), name), bytes).ok());
  }
  const TempDir dir_;
};

TEST_F(ReadMetricRowsTest, AFolderAndItsFileGiveTheSameAndALaterLineCounts) {
  File("metrics.jsonl",
       StepJson(Step(1, 1)) + "\n" + StepJson(Step(2, 2)) + "\n" + StepJson(Step(1, 10)) + "\n{\"step\":3,");
  File("evaluations.jsonl", EvaluationJson(Evaluation(1, 0.5)) + "\n");
  for (const std::string& path : {dir_.path(), dir_.path() + "/", dir_.path() + "/metrics.jsonl"}) {
    const auto rows = ReadMetricRows(path);
    ASSERT_TRUE(rows.ok()) << rows.status();
    ASSERT_EQ(rows->size(), 3u) << "the line that is not whole yet is left out";
    EXPECT_EQ((*rows)[0].values[2].second, 10);
    EXPECT_TRUE((*rows)[1].is_evaluation);
    EXPECT_EQ((*rows)[2].step, 2);
  }
}

TEST_F(ReadMetricRowsTest, WhatIsNotOursIsNamed) {
  EXPECT_EQ(ReadMetricRows(dir_.path()).status().code(), absl::StatusCode::kNotFound);
  File("metrics.jsonl", "{\"step\":1}\n[1]\n");
  EXPECT_THAT(std::string(ReadMetricRows(dir_.path()).status().message()), HasSubstr("metrics.jsonl:2: "));
}

}  // namespace
}  // namespace mimeo
