#include "store/metric_store.h"

#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"
#include "store/testing/faulty_store.h"

namespace mimeo {
namespace {

using testing::FaultyStore;
using testing::StatusIs;

StepMetrics Step(int64_t step, int64_t generation, double loss) {
  StepMetrics metrics;
  metrics.set_step(step);
  metrics.set_generation(generation);
  metrics.set_loss(loss);
  (*metrics.mutable_terms())["reconstruction"] = loss;
  return metrics;
}

EvaluationResult Evaluation(int64_t step, int64_t generation, double accuracy) {
  EvaluationResult result;
  result.set_step(step);
  result.set_generation(generation);
  (*result.mutable_values())["knn_accuracy"] = accuracy;
  return result;
}

class MetricStoreTest : public ::testing::Test {
 protected:
  std::vector<double> Losses(const std::string& job_id, int64_t after_step = 0, int limit = 1000) {
    std::vector<double> losses;
    const absl::StatusOr<std::vector<StepMetrics>> steps = metrics_.Steps(job_id, after_step, limit);
    EXPECT_OK(steps);
    for (const StepMetrics& step : *steps) losses.push_back(step.loss());
    return losses;
  }

  FaultyStore store_;
  MetricStore metrics_{&store_};
};

TEST_F(MetricStoreTest, StepsComeBackInOrderAfterTheGivenOne) {
  ASSERT_OK(metrics_.PutSteps("j1", {Step(300, 1, 3), Step(2, 1, 2), Step(1, 1, 1)}));
  EXPECT_EQ(Losses("j1"), (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(Losses("j1", 1), (std::vector<double>{2, 3}));
  EXPECT_EQ(Losses("j1", 2), (std::vector<double>{3}));
  EXPECT_EQ(Losses("j1", 300), (std::vector<double>{}));
  EXPECT_EQ(Losses("j1", 0, 2), (std::vector<double>{1, 2}));
  EXPECT_EQ(Losses("j1", 0, 0), (std::vector<double>{}));
  EXPECT_EQ(Losses("j1", std::numeric_limits<int64_t>::max()), (std::vector<double>{}));
  ASSERT_OK_AND_ASSIGN(const auto steps, metrics_.Steps("j1", 299, 1));
  EXPECT_EQ(steps[0].terms().at("reconstruction"), 3);
}

TEST_F(MetricStoreTest, JobsAreApartEvenWhenOneIdBeginsWithAnother) {
  ASSERT_OK(metrics_.PutSteps("j1", {Step(1, 1, 1)}));
  ASSERT_OK(metrics_.PutSteps("j11", {Step(1, 1, 11)}));
  EXPECT_EQ(Losses("j1"), (std::vector<double>{1}));
  EXPECT_EQ(Losses("j11"), (std::vector<double>{11}));
  EXPECT_EQ(Losses("j"), (std::vector<double>{}));
}

TEST_F(MetricStoreTest, ALaterGenerationReplacesAndAnEarlierOneDoesNot) {
  ASSERT_OK(metrics_.PutSteps("j1", {Step(1, 2, 1.0)}));
  ASSERT_OK(metrics_.PutSteps("j1", {Step(1, 1, 99)}));
  EXPECT_EQ(Losses("j1"), (std::vector<double>{1.0}));
  ASSERT_OK(metrics_.PutSteps("j1", {Step(1, 2, 1.5)}));
  EXPECT_EQ(Losses("j1"), (std::vector<double>{1.5})) << "a repeat of the same generation";
  ASSERT_OK(metrics_.PutSteps("j1", {Step(1, 3, 2.0)}));
  EXPECT_EQ(Losses("j1"), (std::vector<double>{2.0}));
}

TEST_F(MetricStoreTest, TheLaterGenerationWinsWithinOneReportToo) {
  ASSERT_OK(metrics_.PutSteps("j1", {Step(1, 3, 3), Step(1, 2, 2)}));
  EXPECT_EQ(Losses("j1"), (std::vector<double>{3}));
}

TEST_F(MetricStoreTest, EvaluationsAreKeptByStepWithTheUntrainedOne) {
  ASSERT_OK(metrics_.PutEvaluations("j1", {Evaluation(100, 1, 0.5), Evaluation(0, 1, 0.2)}));
  ASSERT_OK(metrics_.PutEvaluations("j1", {Evaluation(100, 0, 0.9)}));
  ASSERT_OK_AND_ASSIGN(const auto evaluations, metrics_.Evaluations("j1", -1, 10));
  ASSERT_EQ(evaluations.size(), 2u);
  EXPECT_EQ(evaluations[0].step(), 0);
  EXPECT_EQ(evaluations[1].values().at("knn_accuracy"), 0.5);
  EXPECT_TRUE(Losses("j1").empty()) << "evaluations are no steps";
  ASSERT_OK_AND_ASSIGN(const auto first, metrics_.Evaluations("j1", -1, 1));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].step(), 0);
  ASSERT_OK_AND_ASSIGN(const auto after, metrics_.Evaluations("j1", 0, 10));
  ASSERT_EQ(after.size(), 1u);
  EXPECT_EQ(after[0].step(), 100);
}

// A metric per name from `begin` to `end`, at that many steps as it takes.
std::vector<StepMetrics> Named(int begin, int end) {
  std::vector<StepMetrics> steps;
  for (int name = begin; name < end; ++name) {
    StepMetrics& step = steps.emplace_back();
    step.set_step(1);
    (*step.mutable_stats())["stat/" + std::to_string(name)] = 1;
  }
  return steps;
}

TEST_F(MetricStoreTest, NamesOfMetricsHaveABoundPerJobThatHoldsOverARestart) {
  constexpr int kMost = limits::kMetricNamesPerJob;
  ASSERT_OK(metrics_.PutSteps("j1", Named(0, kMost - 1)));
  EXPECT_OK(metrics_.PutSteps("j1", Named(0, 100))) << "known names cost nothing";
  MetricStore restarted(&store_);
  EXPECT_THAT(restarted.PutSteps("j1", Named(kMost - 1, kMost + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "job j1 has 1023 names of metrics and reports 2 new ones, \"stat/1023\" first; at most 1024"));
  EXPECT_OK(restarted.PutEvaluations("j1", {Evaluation(100, 1, 0.5)})) << "the last one";
  EXPECT_THAT(restarted.PutSteps("j1", Named(kMost, kMost + 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, "has 1024 names"));
  EXPECT_THAT(restarted.PutSteps("j1", {Step(1, 1, 1)}),
              StatusIs(absl::StatusCode::kInvalidArgument, "\"reconstruction\""));
  EXPECT_EQ(Losses("j1").size(), 1u) << "nothing of a refused report is stored";
  EXPECT_OK(restarted.PutSteps("j1", Named(kMost - 10, kMost - 1)));
  EXPECT_OK(restarted.PutSteps("j11", Named(0, kMost))) << "another job's";
}

TEST_F(MetricStoreTest, ErrorsPassThrough) {
  EXPECT_THAT(metrics_.PutSteps("j1", {Step(-1, 1, 1)}), StatusIs(absl::StatusCode::kInvalidArgument, "step: -1"));
  store_.FailWrites(1, 1, absl::ResourceExhaustedError("disk full"));
  EXPECT_THAT(metrics_.PutSteps("j1", {Step(1, 1, 1)}), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(Losses("j1").empty());
}

TEST_F(MetricStoreTest, AnUnreadableRecordIsDataLossByStep) {
  ASSERT_OK(metrics_.PutSteps("j1", {Step(7, 1, 1)}));
  std::string key;
  ASSERT_OK(store_.Scan(Family::kMetrics, "", "", [&](absl::string_view found, absl::string_view) {
    key = std::string(found);
    return true;
  }));
  WriteBatch damage;
  damage.puts.push_back({Family::kMetrics, key, "\xff\xff"});
  ASSERT_OK(store_.Write(damage, Durability::kSynced));
  EXPECT_THAT(metrics_.Steps("j1", 0, 10), StatusIs(absl::StatusCode::kDataLoss, "job j1 step 7"));
}

TEST_F(MetricStoreTest, ConcurrentGenerationsEndWithTheLatest) {
  std::vector<std::thread> writers;
  for (int generation = 1; generation <= 4; ++generation) {
    writers.emplace_back([this, generation] {
      for (int i = 0; i < 20; ++i) EXPECT_OK(metrics_.PutSteps("j1", {Step(1, generation, generation)}));
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_EQ(Losses("j1"), (std::vector<double>{4}));
}

}  // namespace
}  // namespace mimeo
