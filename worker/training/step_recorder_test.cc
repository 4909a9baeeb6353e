#include "worker/training/step_recorder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "job/job_spec.h"
#include "worker/training/testing/tiny_model.h"
#include "worker/training/train_step.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::FlatAverage;
using testing::FlatParameters;
using ::testing::HasSubstr;
using testing::TinyModel;
using testing::TinySpec;
using testing::TinyViews;

ForwardPass PassOf(double value) {
  ForwardPass pass;
  pass.views.resize(1);
  pass.views[0].images_BCHW = at::full({2}, value);
  return pass;
}

TEST(StepRecorderTest, CallsThreeStepsThenReplaysTheFourthOnNewInputs) {
  const auto recorder = StepRecorder::Create(at::kCPU);
  ASSERT_OK(recorder.status());
  std::vector<double> seen;
  for (int step = 1; step <= 6; ++step) {
    const auto body = [&seen, number = 100 * step](absl::Span<const ForwardPass> passes) {
      seen.push_back(number + passes[0].views[0].images_BCHW[0].item<double>());
    };
    (*recorder)->Run({PassOf(step)}, body);
  }
  EXPECT_THAT(seen, ElementsAre(101, 202, 303, 404, 405, 406));
}

TEST(StepRecorderTest, WhatItIsGivenIsNotWhatItWritesTo) {
  const auto recorder = StepRecorder::Create(at::kCPU);
  ASSERT_OK(recorder.status());
  const ForwardPass recorded = PassOf(1);
  for (int step = 0; step < 4; ++step) (*recorder)->Run({recorded}, [](absl::Span<const ForwardPass>) {});
  (*recorder)->Run({PassOf(2)}, [](absl::Span<const ForwardPass>) {});
  EXPECT_EQ(recorded.views[0].images_BCHW[0].item<double>(), 1);
}

TEST(StepRecorderTest, InputsOfAnotherShapeAreRefused) {
  const auto recorder = StepRecorder::Create(at::kCPU);
  ASSERT_OK(recorder.status());
  const auto nothing = [](absl::Span<const ForwardPass>) {};
  for (int step = 0; step < 4; ++step) (*recorder)->Run({PassOf(1)}, nothing);
  ForwardPass narrow = PassOf(1);
  narrow.views[0].images_BCHW = narrow.views[0].images_BCHW.narrow(0, 0, 1);
  EXPECT_THROW((*recorder)->Run({narrow}, nothing), std::exception);
  EXPECT_THROW((*recorder)->Run({PassOf(1), PassOf(1)}, nothing), std::exception);
  EXPECT_THROW((*recorder)->Run({ForwardPass()}, nothing), std::exception);
}

// A model of one rank that takes steps of two micro-batches with an average whose decay rises and a rate that falls.
struct Training {
  Training(const JobSpec& spec, StepRecorder* recorder)
      : model(spec),
        step(&model.parameters, model.encoder.get(), model.objectives.get(), /*reducer=*/nullptr, model.optimizer.get(),
             {/*max_grad_norm=*/1, CLIPPING_GLOBAL, model.average.get(), recorder}) {}
  std::vector<StepResult> Take(int steps) {
    std::vector<StepResult> results;
    for (int number = 0; number < steps; ++number) {
      const auto result = step.Run(
          {TinyViews(number, 0, 12), TinyViews(number, 12, 24)},
          {/*learning_rate=*/1e-2 / (1 + number), /*progress=*/0.1 * number, /*feature_stats=*/number % 2 == 1});
      EXPECT_OK(result.status());
      results.push_back(*result);
    }
    return results;
  }
  TinyModel model;
  TrainStep step;
};

TEST(StepRecorderTest, ATrainingOfRecordedStepsIsThePlainOneToTheBit) {
  JobSpec spec = TinySpec();
  spec.mutable_ema()->set_decay(0.5), spec.mutable_ema()->set_final_decay(1);
  ASSERT_OK_AND_ASSIGN(spec, ResolveJobSpec(spec));
  Training plain(spec, nullptr);
  const std::vector<StepResult> expected = plain.Take(8);
  const auto recorder = StepRecorder::Create(at::kCPU);
  ASSERT_OK(recorder.status());
  Training recorded(spec, recorder->get());
  // Compared after the last: none is overwritten by a later one.
  const std::vector<StepResult> results = recorded.Take(8);
  for (size_t i = 0; i < results.size(); ++i) {
    EXPECT_TRUE(at::equal(results[i].loss, expected[i].loss)) << i;
    EXPECT_TRUE(at::equal(results[i].grad_norm, expected[i].grad_norm)) << i;
    ASSERT_EQ(results[i].stats.size(), expected[i].stats.size()) << i;
    for (const auto& [name, stat] : expected[i].stats) {
      EXPECT_TRUE(at::equal(results[i].stats.at(name), stat)) << i << " " << name;
    }
  }
  EXPECT_EQ(results[7].stats.size(), 2u) << "feature statistics of a replayed step";
  EXPECT_TRUE(at::equal(FlatParameters(recorded.model.parameters), FlatParameters(plain.model.parameters)));
  EXPECT_TRUE(at::equal(FlatAverage(*recorded.model.average), FlatAverage(*plain.model.average)));
}

TEST(StepRecorderTest, AGraphOnAGpuWithoutItsLibrarySaysHowToGetIt) {
  const auto recorder = StepRecorder::Create(at::Device(at::kCUDA, 0));
  ASSERT_FALSE(recorder.ok());
  EXPECT_EQ(recorder.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(recorder.status().message()), HasSubstr("scripts/setup --cuda"));
}

}  // namespace
}  // namespace mimeo
