#include "client/metrics_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include "client/testing/told.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using testing::OneStep;
using testing::Step;

TEST(StepJsonTest, HasTheFieldsOfMetricsJsonl) {
  EXPECT_EQ(
      StepJson(Step(2)),
      R"({"step":2,"epoch":0.5,"images":64,"loss":0.75,"loss/mimic":0.25,"loss/pixels":0.5,"learning_rate":0.0001,"grad_norm":0.0,)"
      R"("images_per_second":512.0,"data_wait":0.125,"teacher_wait":0.0})");
}

TEST(StepJsonTest, MfuIsThereWhereThePeakIsKnown) {
  StepMetrics step = Step(2);
  *step.mutable_utilization() = OneStep();
  EXPECT_THAT(
      StepJson(step),
      HasSubstr(
          R"("step_seconds":2.0,"communication":0.25,"gflop_per_second":300000.0,"peak_memory_bytes":1500000000})"));
  step.mutable_utilization()->set_peak_gflop_per_second(1e6);
  EXPECT_THAT(StepJson(step), HasSubstr(R"("mfu":0.3,)"));
}

TEST(StepJsonTest, ALossThatIsNotFiniteIsNull) {
  StepMetrics step = Step(2);
  step.set_loss(std::nan(""));
  EXPECT_THAT(StepJson(step), HasSubstr("\"loss\":null"));
}

TEST(EvaluationJsonTest, HasItsValuesByName) {
  EvaluationResult evaluation;
  evaluation.set_step(7);
  (*evaluation.mutable_values())["knn_accuracy"] = 0.5;
  EXPECT_EQ(EvaluationJson(evaluation), R"({"step":7,"knn_accuracy":0.5})");
}

TEST(StepJsonTest, NumbersAtTheirEndsAreWholeOrNull) {
  StepMetrics step;
  step.set_step(std::numeric_limits<int64_t>::max());
  step.set_images(std::numeric_limits<int64_t>::min());
  step.set_loss(std::numeric_limits<double>::max());
  (*step.mutable_terms())["pixels"] = -std::numeric_limits<double>::infinity();
  step.set_grad_norm(std::nan(""));
  step.mutable_utilization()->set_gflop_per_second(std::numeric_limits<double>::infinity());
  const auto json = nlohmann::json::parse(StepJson(step));
  EXPECT_EQ(json["step"], std::numeric_limits<int64_t>::max());
  EXPECT_EQ(json["images"], std::numeric_limits<int64_t>::min());
  EXPECT_EQ(json["loss"], std::numeric_limits<double>::max());
  for (const char* name : {"loss/pixels", "grad_norm", "gflop_per_second"}) EXPECT_TRUE(json[name].is_null()) << name;
  EXPECT_FALSE(json.contains("mfu"));
}

// An objective's name is a person's.
TEST(StepJsonTest, NamesAreTextOnOneLine) {
  StepMetrics step;
  (*step.mutable_terms())["a\"b\\\n\x1b[2J\xe9"] = 1;
  (*step.mutable_stats())[""] = 2;
  const std::string line = StepJson(step);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["loss/a\"b\\\\x0a\\x1b[2J\\xe9"], 1);
  EXPECT_EQ(json["stat/"], 2);
}

TEST(EvaluationJsonTest, WithoutValuesThereIsItsStep) {
  EXPECT_EQ(EvaluationJson(EvaluationResult()), R"({"step":0})");
  EvaluationResult evaluation;
  (*evaluation.mutable_values())["knn"] = std::nan("");
  (*evaluation.mutable_values())["caf\xe9"] = 0.25;
  EXPECT_EQ(EvaluationJson(evaluation), R"({"step":0,"caf\\xe9":0.25,"knn":null})");
}

}  // namespace
}  // namespace mimeo
