// Objectives that mix samples, over a gang: W ranks are one rank on the concatenated contrast group.
// Ranks are threads here.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/testing/status_matchers.h"
#include "worker/training/row_gatherer.h"
#include "worker/training/testing/local_gang.h"
#include "worker/training/testing/tiny_model.h"
#include "worker/training/train_step.h"

namespace mimeo {
namespace {

using testing::FlatAverage;
using testing::FlatGradients;
using testing::FlatParameters;
using testing::RunAsGang;
using testing::TinyDinoSpec;
using testing::TinyModel;
using testing::TinySpec;
using testing::TinyViews;

constexpr int64_t kGlobalBatch = 24;

enum class Loss { kInfoNce, kCosine, kMoco, kDino };

// Reconstruction of two views and an objective that mixes samples, every field set; the contrastive ones have
// BatchNorm.
JobSpec ContrastSpec(Loss loss) {
  if (loss == Loss::kDino) return TinyDinoSpec();
  JobSpec spec = TinySpec();
  ObjectiveSpec* objective = spec.add_objective();
  objective->set_name("views"), objective->set_weight(1);
  ContrastiveSpec* contrastive = objective->mutable_contrastive();
  contrastive->set_pooling(POOLING_MEAN);
  if (loss == Loss::kInfoNce) contrastive->mutable_info_nce()->set_temperature(0.2);
  if (loss == Loss::kCosine) contrastive->mutable_cosine(), contrastive->mutable_predictor()->set_hidden_width(24);
  if (loss == Loss::kMoco) {
    contrastive->mutable_info_nce()->set_temperature(0.2), contrastive->set_average_target(true);
    contrastive->mutable_predictor()->set_hidden_width(24), contrastive->mutable_predictor()->set_final_norm(true);
    spec.mutable_ema()->set_decay(0.9), spec.mutable_ema()->set_final_decay(0.9);
  }
  ProjectorSpec* projector = contrastive->mutable_projector();
  projector->add_hidden_width(48), projector->add_hidden_width(40), projector->set_width(16),
      projector->set_batch_norm(true);
  return spec;
}

// Two crops of each of rows [begin, end).
ForwardPass TwoViews(int64_t step, int64_t begin, int64_t end, at::ScalarType type) {
  ForwardPass pass = TinyViews(2 * step, begin, end, type);
  ViewInput second = TinyViews(2 * step + 1, begin, end, type).views[0];
  second.view = 1;
  pass.views.push_back(second);
  return pass;
}

// This rank's rows, a micro-batch per group: group g is rows [g * G, (g + 1) * G) over all ranks, G = kGlobalBatch /
// groups.
std::vector<ForwardPass> Rows(const Gang& gang, int64_t step, int64_t groups, at::ScalarType type) {
  const int64_t rows = kGlobalBatch / (gang.size() * groups);
  std::vector<ForwardPass> micro_batches;
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t begin = (group * gang.size() + gang.rank()) * rows;
    micro_batches.push_back(TwoViews(step, begin, begin + rows, type));
  }
  return micro_batches;
}

// One rank of a gang that trains with `rows`.
struct Rank {
  Rank(Gang* gang, const JobSpec& spec, at::ScalarType type, const RowGatherer& rows)
      : gang(gang),
        type(type),
        model(spec, type, rows),
        reducer(gang, model.parameters),
        step(&model.parameters, model.encoder.get(), model.objectives.get(), &reducer, model.optimizer.get(),
             {/*max_grad_norm=*/0, CLIPPING_GLOBAL, model.average.get()}) {
    EXPECT_OK(step.Settle(TwoViews(0, 0, 2, type)));
  }
  Rank(Gang* gang, const JobSpec& spec, at::ScalarType type) : Rank(gang, spec, type, MakeRowGatherer(gang)) {}
  StepResult Take(int64_t number, int64_t groups) {
    auto result = step.Run(Rows(*gang, number, groups, type), StepSettings{1e-3});
    EXPECT_OK(result.status());
    return *result;
  }

  Gang* const gang;
  const at::ScalarType type;
  TinyModel model;
  GradientReducer reducer;
  TrainStep step;
};

// Of one model that sees each group whole: no gang, no gatherer, no accumulation of ours.
at::Tensor GradientOfTheWholeGroups(const JobSpec& spec, int64_t groups, at::ScalarType type) {
  at::Tensor sum;
  for (int64_t group = 0; group < groups; ++group) {
    const TinyModel model(spec, type);
    const int64_t size = kGlobalBatch / groups;
    ForwardPass pass = TwoViews(0, group * size, (group + 1) * size, type);
    EncodeViews(*model.encoder, model.average == nullptr ? nullptr : &model.average->encoder(), *model.objectives,
                &pass);
    model.objectives->Compute(pass).total.backward();
    const at::Tensor gradient = FlatGradients(model.parameters) / static_cast<double>(groups);
    sum = sum.defined() ? sum + gradient : gradient;
  }
  return sum;
}

double RelativeDistance(const at::Tensor& gradient, const at::Tensor& expected) {
  return ((gradient - expected).norm() / expected.norm()).item<double>();
}

class ContrastRanksTest : public ::testing::TestWithParam<std::tuple<int, int, Loss>> {};

TEST_P(ContrastRanksTest, TheirGradientIsThatOfOneRankOnTheWholeGroups) {
  const auto [ranks, groups, loss] = GetParam();
  const JobSpec spec = ContrastSpec(loss);
  const at::Tensor expected = GradientOfTheWholeGroups(spec, groups, at::kFloat);
  RunAsGang(ranks, [&, groups = groups](Gang* gang) {
    Rank rank(gang, spec, at::kFloat);
    const StepResult result = rank.Take(0, groups);
    EXPECT_LT(RelativeDistance(FlatGradients(rank.model.parameters), expected), 3e-6);
    EXPECT_NEAR(result.grad_norm.item<double>(), expected.norm().item<double>(), 1e-5 * expected.norm().item<double>());
  });
}

TEST_P(ContrastRanksTest, TheirParametersAfterFiveStepsAreThoseOfOneRank) {
  const auto [ranks, groups, loss] = GetParam();
  const JobSpec spec = ContrastSpec(loss);
  at::Tensor expected;
  const auto train = [&, groups = groups](Gang* gang) {
    Rank rank(gang, spec, at::kDouble);
    for (int64_t step = 0; step < 5; ++step) rank.Take(step, groups);
    const at::Tensor weights = FlatParameters(rank.model.parameters);
    return rank.model.average == nullptr ? weights : at::cat({weights, FlatAverage(*rank.model.average)});
  };
  RunAsGang(1, [&](Gang* gang) { expected = train(gang); });
  const at::Tensor start = FlatParameters(TinyModel(spec, at::kDouble).parameters);
  EXPECT_GT((expected.slice(0, 0, start.size(0)) - start).abs().max().item<double>(), 1e-3);
  RunAsGang(ranks, [&](Gang* gang) { EXPECT_LT((train(gang) - expected).abs().max().item<double>(), 1e-9); });
}

INSTANTIATE_TEST_SUITE_P(Gangs, ContrastRanksTest,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4), ::testing::Values(1, 2),
                                            ::testing::Values(Loss::kInfoNce, Loss::kCosine, Loss::kMoco,
                                                              Loss::kDino)));

// Without the other ranks' rows there are fewer negatives and other statistics: what is learned would depend on the
// gang's size.
TEST(ContrastTest, ARankThatSeesItsOwnRowsOnlyHasAnotherGradient) {
  for (const Loss loss : {Loss::kInfoNce, Loss::kCosine, Loss::kMoco}) {
    const JobSpec spec = ContrastSpec(loss);
    const at::Tensor expected = GradientOfTheWholeGroups(spec, 1, at::kDouble);
    RunAsGang(2, [&](Gang* gang) {
      Rank rank(gang, spec, at::kDouble, RowGatherer());
      rank.Take(0, 1);
      EXPECT_GT(RelativeDistance(FlatGradients(rank.model.parameters), expected), 1e-2);
    });
  }
}

// Which is why data.contrast_group is a number of its own: accumulated groups are not one group twice as large, while
// reconstruction's micro-batches are one batch (train_step_test.cc).
TEST(ContrastTest, InfoNceDoesNotAccumulate) {
  for (const Loss loss : {Loss::kInfoNce, Loss::kCosine, Loss::kMoco}) {
    const JobSpec spec = ContrastSpec(loss);
    const at::Tensor one = GradientOfTheWholeGroups(spec, 1, at::kDouble),
                     two = GradientOfTheWholeGroups(spec, 2, at::kDouble);
    EXPECT_GT(RelativeDistance(two, one), 1e-2);
  }
}

// Its centre moves by the mean over the whole step, so it needs no contrast group.
TEST(ContrastTest, SelfDistillationAccumulates) {
  const JobSpec spec = ContrastSpec(Loss::kDino);
  const auto train = [&](int64_t groups) {
    at::Tensor end;
    RunAsGang(1, [&](Gang* gang) {
      Rank rank(gang, spec, at::kDouble);
      for (int64_t step = 0; step < 3; ++step) rank.Take(step, groups);
      end = at::cat({FlatParameters(rank.model.parameters), FlatAverage(*rank.model.average)});
    });
    return end;
  };
  EXPECT_LT((train(2) - train(1)).abs().max().item<double>(), 1e-9);
}

TEST(ContrastTest, AnUpdateMovesAveragesAndCenterAsByHand) {
  const JobSpec spec = ContrastSpec(Loss::kDino);
  RunAsGang(1, [&](Gang* gang) {
    Rank rank(gang, spec, at::kDouble);
    std::map<std::string, at::Tensor> average;
    const auto remember = [&] {
      for (const auto& [name, tensor] : rank.model.average->State()) average[name] = tensor.clone();
    };
    remember();
    for (int64_t step = 0; step < 2; ++step) {
      ForwardPass pass = TwoViews(step, 0, kGlobalBatch, at::kDouble);
      EncodeViews(*rank.model.encoder, &rank.model.average->encoder(), *rank.model.objectives, &pass);
      const at::Tensor batch_mean = rank.model.objectives->Compute(pass).means.at("objective.dino.center").value;
      rank.Take(step, 1);
      for (const auto& [name, tensor] : rank.model.average->State()) {
        const bool center = name == "ema.objective.dino.center";
        const at::Tensor moves_to = center ? batch_mean : rank.model.parameters.Find(name.substr(4)).detach();
        EXPECT_LT((tensor - (0.9 * average.at(name) + 0.1 * moves_to)).abs().max().item<double>(), 1e-9) << name;
      }
      remember();
    }
    EXPECT_GT(average.at("ema.objective.dino.center").abs().max().item<double>(), 0);
  });
}

TEST(ContrastTest, AStepThatIsSkippedMovesNeitherAveragesNorCenter) {
  const JobSpec spec = ContrastSpec(Loss::kDino);
  RunAsGang(1, [&](Gang* gang) {
    Rank rank(gang, spec, at::kDouble);
    rank.Take(0, 1);
    const at::Tensor before = FlatAverage(*rank.model.average);
    ForwardPass broken = TwoViews(1, 0, kGlobalBatch, at::kDouble);
    broken.views[0].images_BCHW.fill_(std::numeric_limits<double>::quiet_NaN());
    const auto result = rank.step.Run({broken}, StepSettings{1e-3});
    ASSERT_OK(result.status());
    EXPECT_EQ(result->skipped.item<double>(), 1);
    EXPECT_TRUE(at::equal(FlatAverage(*rank.model.average), before));
  });
}

TEST(ContrastTest, StatisticsAreTheWholeGroups) {
  const JobSpec spec = ContrastSpec(Loss::kInfoNce);
  std::map<std::string, double> expected;
  RunAsGang(1, [&](Gang* gang) {
    for (const auto& [name, value] : Rank(gang, spec, at::kDouble).Take(0, 1).stats) {
      expected[name] = value.item<double>();
    }
  });
  EXPECT_EQ(expected.size(), 4u);
  RunAsGang(3, [&](Gang* gang) {
    const StepResult result = Rank(gang, spec, at::kDouble).Take(0, 1);
    EXPECT_NEAR(result.stats.at("views/embedding_std").item<double>(), expected.at("views/embedding_std"), 1e-9);
    for (const char* name : {"views/alignment", "views/retrieval"}) {
      at::Tensor sum = at::zeros({1}, at::kDouble);
      sum += result.stats.at(name);
      ASSERT_OK(gang->Sum(sum));
      EXPECT_NEAR(sum[0].item<double>() / 3, expected.at(name), 1e-9) << name;
    }
  });
}

}  // namespace
}  // namespace mimeo
