// W ranks are one rank on the concatenated batch; c10d's engine, not a copy of it, is under test. Ranks are threads
// here, and processes in tests/e2e.
#include "worker/training/train_step.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/testing/status_matchers.h"
#include "worker/training/testing/local_gang.h"
#include "worker/training/testing/tiny_model.h"

namespace mimeo {
namespace {

using testing::FlatGradients;
using testing::FlatParameters;
using testing::RunAsGang;
using testing::TinyModel;
using testing::TinySpec;
using testing::TinyViews;

constexpr int64_t kGlobalBatch = 24;

// The rows of this rank, by micro-batch: micro-batch i covers rows [i * W * B, (i + 1) * W * B) over all ranks.
std::vector<ForwardPass> Rows(const Gang& gang, int64_t step, int64_t accumulation, at::ScalarType type) {
  const int64_t rows = kGlobalBatch / (gang.size() * accumulation);
  std::vector<ForwardPass> micro_batches;
  for (int64_t i = 0; i < accumulation; ++i) {
    const int64_t begin = (i * gang.size() + gang.rank()) * rows;
    micro_batches.push_back(TinyViews(step, begin, begin + rows, type));
  }
  return micro_batches;
}

// One rank of a gang that trains TinyModel.
struct Rank {
  Rank(Gang* gang, const JobSpec& spec, at::ScalarType type, double max_grad_norm = 0)
      : gang(gang),
        type(type),
        model(spec, type),
        reducer(gang, model.parameters),
        step(&model.parameters, model.encoder.get(), model.objectives.get(), &reducer, model.optimizer.get(),
             {max_grad_norm}) {
    EXPECT_OK(step.Settle(TinyViews(0, 0, 2, type)));
  }
  StepResult Take(int64_t number, int64_t accumulation) {
    auto result = step.Run(Rows(*gang, number, accumulation, type), StepSettings{1e-3});
    EXPECT_OK(result.status());
    return *result;
  }

  Gang* const gang;
  const at::ScalarType type;
  TinyModel model;
  GradientReducer reducer;
  TrainStep step;
};

at::Tensor GradientOfTheWholeBatch(const JobSpec& spec, at::ScalarType type) {
  const TinyModel model(spec, type);
  ForwardPass pass = TinyViews(0, 0, kGlobalBatch, type);
  EncodeViews(*model.encoder, nullptr, *model.objectives, &pass);
  model.objectives->Compute(pass).total.backward();
  return FlatGradients(model.parameters);
}

class RanksTest : public ::testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(RanksTest, TheirGradientIsThatOfOneRankOnTheWholeBatch) {
  const auto [ranks, accumulation] = GetParam();
  const JobSpec spec = TinySpec(128);
  const at::Tensor expected = GradientOfTheWholeBatch(spec, at::kFloat);
  RunAsGang(ranks, [&, accumulation = accumulation](Gang* gang) {
    Rank rank(gang, spec, at::kFloat);
    const StepResult result = rank.Take(0, accumulation);
    const at::Tensor gradient = FlatGradients(rank.model.parameters);
    EXPECT_LT((gradient - expected).norm().item<double>(), 1e-6 * expected.norm().item<double>());
    EXPECT_NEAR(result.grad_norm.item<double>(), expected.norm().item<double>(), 1e-5 * expected.norm().item<double>());
  });
}

TEST_P(RanksTest, TheirParametersAfterFiveStepsAreThoseOfOneRank) {
  const auto [ranks, accumulation] = GetParam();
  const JobSpec spec = TinySpec();
  at::Tensor expected;
  RunAsGang(1, [&](Gang* gang) {
    Rank rank(gang, spec, at::kDouble);
    for (int64_t step = 0; step < 5; ++step) rank.Take(step, 1);
    expected = FlatParameters(rank.model.parameters);
  });
  RunAsGang(ranks, [&, accumulation = accumulation](Gang* gang) {
    Rank rank(gang, spec, at::kDouble);
    for (int64_t step = 0; step < 5; ++step) rank.Take(step, accumulation);
    EXPECT_LT((FlatParameters(rank.model.parameters) - expected).abs().max().item<double>(), 1e-9);
  });
}

INSTANTIATE_TEST_SUITE_P(Gangs, RanksTest, ::testing::Combine(::testing::Values(1, 2, 3, 4), ::testing::Values(1, 2)));

TEST(TrainStepTest, AllRanksHaveTheSameParametersToTheLastBit) {
  const JobSpec spec = TinySpec(128);
  absl::Mutex mu;
  std::vector<at::Tensor> parameters;
  RunAsGang(3, [&](Gang* gang) {
    Rank rank(gang, spec, at::kFloat);
    for (int64_t step = 0; step < 3; ++step) rank.Take(step, 2);
    absl::MutexLock lock(&mu);
    parameters.push_back(FlatParameters(rank.model.parameters));
  });
  ASSERT_EQ(parameters.size(), 3u);
  EXPECT_TRUE(at::equal(parameters[0], parameters[1]));
  EXPECT_TRUE(at::equal(parameters[0], parameters[2]));
}

// Two views, so that a block is used twice in a pass, and three ranks, so that a reducer waits for each parameter once.
at::Tensor ParametersAfterThreeStepsOfTwoViews(Gang* gang, const JobSpec& spec) {
  Rank rank(gang, spec, at::kDouble);
  for (int64_t step = 0; step < 3; ++step) {
    std::vector<ForwardPass> rows = Rows(*gang, step, 1, at::kDouble);
    rows[0].views.push_back(Rows(*gang, step + 100, 1, at::kDouble)[0].views[0]);
    rows[0].views[1].view = 1;
    EXPECT_OK(rank.step.Run(rows, StepSettings{1e-3}).status());
  }
  return FlatParameters(rank.model.parameters);
}

TEST(TrainStepTest, ActivationCheckpointingTakesTheSameSteps) {
  JobSpec spec = TinySpec();
  spec.mutable_views(0)->set_count(2);
  JobSpec checkpointing = spec;
  checkpointing.mutable_resources()->set_activation_checkpointing(true);
  RunAsGang(3, [&](Gang* gang) {
    const at::Tensor expected = ParametersAfterThreeStepsOfTwoViews(gang, spec);
    const at::Tensor got = ParametersAfterThreeStepsOfTwoViews(gang, checkpointing);
    EXPECT_LT((got - expected).abs().max().item<double>(), 1e-12);
  });
}

TEST(TrainStepTest, CommunicationThatTheBackwardPassDoesNotHideIsMeasured) {
  RunAsGang(2, [&](Gang* gang) {
    Rank rank(gang, TinySpec(128), at::kFloat);
    const absl::Time began = Clock::Real()->Now();
    for (int64_t step = 0; step < 3; ++step) rank.Take(step, 1);
    EXPECT_GT(rank.reducer.exposed_communication(), absl::ZeroDuration());
    EXPECT_LT(rank.reducer.exposed_communication(), Clock::Real()->Now() - began);
  });
}

TEST(TrainStepTest, SettlingChangesNoParameter) {
  RunAsGang(1, [](Gang* gang) {
    const TinyModel fresh(TinySpec());
    const Rank settled(gang, TinySpec(), at::kFloat);
    EXPECT_TRUE(at::equal(FlatParameters(fresh.parameters), FlatParameters(settled.model.parameters)));
  });
}

TEST(TrainStepTest, AccumulatedLossIsTheMeanOfItsMicroBatches) {
  RunAsGang(1, [](Gang* gang) {
    Rank whole(gang, TinySpec(), at::kDouble);
    const StepResult expected = whole.Take(0, 1);
    Rank parts(gang, TinySpec(), at::kDouble);
    const StepResult result = parts.Take(0, 3);
    EXPECT_NEAR(result.loss.item<double>(), expected.loss.item<double>(), 1e-6);
    ASSERT_EQ(result.terms.count("pixels"), 1u);
    EXPECT_NEAR(result.terms.at("pixels").item<double>(), expected.terms.at("pixels").item<double>(), 1e-6);
  });
}

// On two ranks, whose reducer goes on to sum the gradients of frozen prototypes.
TEST(TrainStepTest, FrozenPrototypesStayAsTheyAreAndThawWithAFirstUpdate) {
  JobSpec spec = testing::TinyDinoSpec();
  for (ObjectiveSpec& objective : *spec.mutable_objective()) {
    if (objective.has_self_distillation()) objective.mutable_self_distillation()->set_frozen_prototypes(0.5);
  }
  const double decay = spec.optimizer().adamw().weight_decay();
  RunAsGang(2, [&](Gang* gang) {
    TinyModel model(spec, at::kDouble);
    GradientReducer reducer(gang, model.parameters);
    TrainStep::Options options;
    options.average = model.average.get();
    TrainStep step(&model.parameters, model.encoder.get(), model.objectives.get(), &reducer, model.optimizer.get(),
                   options);
    const auto two_views = [&](int64_t number) {
      std::vector<ForwardPass> rows = Rows(*gang, number, 1, at::kDouble);
      rows[0].views.push_back(Rows(*gang, number + 100, 1, at::kDouble)[0].views[0]);
      rows[0].views[1].view = 1;
      return rows;
    };
    ASSERT_OK(step.Settle(two_views(0)[0]));
    const at::Tensor prototypes = model.parameters.Find("objective.dino.prototypes").detach();
    const at::Tensor before = prototypes.clone();
    for (int64_t number = 0; number < 4; ++number) {
      ASSERT_OK(step.Run(two_views(number), StepSettings{1e-3, 0.1 * static_cast<double>(number)}).status());
      EXPECT_TRUE(at::equal(prototypes, before)) << "step " << number;
    }
    ASSERT_OK(step.Run(two_views(4), StepSettings{1e-3, 0.5}).status());
    const at::Tensor update = (prototypes - before * (1 - 1e-3 * decay)).abs();
    EXPECT_NEAR(update.max().item<double>(), 1e-3, 1e-6);
    EXPECT_NEAR(update.mean().item<double>(), 1e-3, 2e-5)
        << "a gradient that is not 0 makes a first update of the rate's length";
  });
}

TEST(TrainStepTest, OneRanksNotANumberIsAppliedByNone) {
  RunAsGang(2, [](Gang* gang) {
    Rank rank(gang, TinySpec(), at::kFloat);
    const at::Tensor before = FlatParameters(rank.model.parameters);
    auto rows = Rows(*gang, 0, 1, at::kFloat);
    if (gang->rank() == 1) rows[0].views[0].images_BCHW[0][0][3][3].fill_(std::numeric_limits<float>::quiet_NaN());
    const auto result = rank.step.Run(rows, StepSettings{1e-3});
    ASSERT_OK(result.status());
    EXPECT_EQ(result->skipped.item<float>(), 1);
    EXPECT_TRUE(at::equal(FlatParameters(rank.model.parameters), before));
    EXPECT_EQ(rank.Take(1, 1).skipped.item<float>(), 0);
    EXPECT_FALSE(at::equal(FlatParameters(rank.model.parameters), before));
  });
}

TEST(TrainStepTest, ClipsTheGlobalBatchsGradient) {
  RunAsGang(2, [](Gang* gang) {
    Rank rank(gang, TinySpec(), at::kFloat, /*max_grad_norm=*/1e-3);
    EXPECT_GT(rank.Take(0, 1).grad_norm.item<double>(), 2e-3);
    EXPECT_NEAR(FlatGradients(rank.model.parameters).norm().item<double>(), 1e-3, 1e-5);
  });
}

TEST(TrainStepTest, WhatDoesNotFitTheModelIsAStatus) {
  RunAsGang(1, [](Gang* gang) {
    Rank rank(gang, TinySpec(), at::kFloat);
    ForwardPass pass = TinyViews(0, 0, 2);
    pass.views[0].images_BCHW = pass.views[0].images_BCHW.narrow(1, 0, 2);  // two channels
    EXPECT_EQ(rank.step.Run({pass}, StepSettings{1e-3}).status().code(), absl::StatusCode::kAborted);
  });
}

TEST(TrainStepTest, FeatureStatisticsComeWhereAskedFor) {
  RunAsGang(1, [](Gang* gang) {
    Rank rank(gang, TinySpec(), at::kFloat);
    StepSettings settings{1e-3};
    const std::vector<ForwardPass> rows = Rows(*gang, 0, 2, at::kFloat);
    EXPECT_TRUE(rank.step.Run(rows, settings)->stats.empty());
    settings.feature_stats = true;
    const auto stats = rank.step.Run(rows, settings)->stats;
    ASSERT_EQ(stats.size(), 2u);
    EXPECT_GT(stats.at("encoder/effective_rank").item<double>(), 1);
  });
}

}  // namespace
}  // namespace mimeo
