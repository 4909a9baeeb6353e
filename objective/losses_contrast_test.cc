// InfoNCE and what betrays collapse, against naive loops and identities that can be worked out by hand.
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "objective/losses.h"

namespace mimeo {
namespace {

at::Tensor Waves(int64_t rows, int64_t width) {
  return at::sin(at::arange(rows * width, at::kDouble) * 1.7 + 0.3).view({rows, width});
}

// All 2B rows are anchors; row i's other view is i + B, cyclically.
ContrastRows AllPairs(const at::Tensor& rows_NE) {
  const int64_t num_rows = rows_NE.size(0);
  ContrastRows rows;
  rows.anchors_NE = rows.candidates_RE = rows_NE;
  rows.self_N = at::arange(num_rows, at::kLong);
  rows.positive_N = rows.self_N.roll(num_rows / 2);
  return rows;
}

double Dot(const at::Tensor& x, const at::Tensor& y) {
  double sum = 0;
  for (int64_t i = 0; i < x.size(0); ++i) sum += x[i].item<double>() * y[i].item<double>();
  return sum;
}

double InfoNceByLoops(const ContrastRows& rows, double temperature) {
  double sum = 0;
  for (int64_t i = 0; i < rows.anchors_NE.size(0); ++i) {
    double all = 0, positive = 0;
    for (int64_t k = 0; k < rows.candidates_RE.size(0); ++k) {
      if (k == rows.self_N[i].item<int64_t>()) continue;
      const double score = std::exp(Dot(rows.anchors_NE[i], rows.candidates_RE[k]) / temperature);
      all += score;
      if (k == rows.positive_N[i].item<int64_t>()) positive = score;
    }
    sum -= std::log(positive / all);
  }
  return sum / static_cast<double>(rows.anchors_NE.size(0));
}

TEST(InfoNceTest, AgainstLoops) {
  const ContrastRows rows = AllPairs(UnitLength(Waves(8, 5)));
  for (const double temperature : {0.1, 0.5, 2.0}) {
    EXPECT_NEAR(InfoNce(rows, temperature).item<double>(), InfoNceByLoops(rows, temperature), 1e-12) << temperature;
  }
}

TEST(InfoNceTest, OfSomeAnchorsAgainstAllCandidates) {
  ContrastRows rows = AllPairs(UnitLength(Waves(12, 5)));
  const at::Tensor kept = at::arange(4, 8, at::kLong);
  rows.anchors_NE = rows.anchors_NE.index_select(0, kept);
  rows.self_N = rows.self_N.index_select(0, kept), rows.positive_N = rows.positive_N.index_select(0, kept);
  EXPECT_NEAR(InfoNce(rows, 0.2).item<double>(), InfoNceByLoops(rows, 0.2), 1e-12);
}

TEST(InfoNceTest, OfIdenticalRowsIsTheLogOfTheirNumberLessOne) {
  for (const int64_t batch : {1, 2, 7}) {
    const at::Tensor rows = UnitLength(at::full({2 * batch, 5}, 0.7, at::kDouble));
    EXPECT_NEAR(InfoNce(AllPairs(rows), 0.1).item<double>(), std::log(2 * batch - 1), 1e-12) << batch;
  }
}

TEST(InfoNceTest, OfPairsThatAreOrthogonalIsAnalytic) {
  constexpr int64_t kBatch = 4;
  for (const double temperature : {0.1, 1.0}) {
    const double positive = std::exp(1 / temperature);
    EXPECT_NEAR(InfoNce(AllPairs(at::eye(kBatch, at::kDouble).repeat({2, 1})), temperature).item<double>(),
                -std::log(positive / (positive + 2 * kBatch - 2)), 1e-12);
  }
}

TEST(InfoNceTest, OverflowsAtNoTemperature) {
  const at::Tensor rows = at::eye(4, at::kFloat).repeat({2, 1});
  EXPECT_EQ(InfoNce(AllPairs(rows), 1e-3).item<double>(), 0);
  EXPECT_NEAR(InfoNce(AllPairs(-rows.roll(1, 0)), 1e-3).item<double>(), 0, 1e-6);
}

TEST(InfoNceTest, HalfPrecisionIsComparedInFloat32) {
  const ContrastRows rows = AllPairs(UnitLength(Waves(8, 5)).to(at::kBFloat16));
  EXPECT_EQ(InfoNce(rows, 0.1).scalar_type(), at::kFloat);
}

TEST(InfoNceTest, GradientAgainstFiniteDifferences) {
  const std::vector<std::function<at::Tensor(const at::Tensor&)>> losses = {
      [](const at::Tensor& x) { return InfoNce(AllPairs(UnitLength(x)), 0.2); },
      [](const at::Tensor& x) { return NegativeFreeLoss(x, UnitLength(Waves(9, 3).slice(0, 3))); },
  };
  for (const auto& loss : losses) {
    at::Tensor rows = Waves(6, 3);
    rows.requires_grad_();
    loss(rows).backward();
    constexpr double kStep = 1e-5;
    for (int64_t i = 0; i < rows.numel(); ++i) {
      at::Tensor up = rows.detach().clone(), down = up.clone();
      up.view(-1)[i] += kStep, down.view(-1)[i] -= kStep;
      EXPECT_NEAR(rows.grad().view(-1)[i].item<double>(), (loss(up) - loss(down)).item<double>() / (2 * kStep), 1e-8);
    }
  }
}

TEST(NegativeFreeLossTest, IsFromZeroToFour) {
  const at::Tensor rows = Waves(6, 3);
  EXPECT_NEAR(NegativeFreeLoss(rows, rows * 3).item<double>(), 0, 1e-12);
  EXPECT_NEAR(NegativeFreeLoss(rows, -rows).item<double>(), 4, 1e-12);
  const at::Tensor axes = at::eye(3, at::kDouble);
  EXPECT_NEAR(NegativeFreeLoss(axes, axes.roll(1, 0)).item<double>(), 2, 1e-12);
}

TEST(CollapseTest, StatisticsAgainstLoops) {
  const ContrastRows rows = AllPairs(UnitLength(Waves(8, 3)));
  const at::Tensor& z = rows.anchors_NE;
  double aligned = 0, spread = 0, found = 0, deviation = 0;
  for (int64_t i = 0; i < 8; ++i) {
    const int64_t positive = (i + 4) % 8;
    aligned += (z[i] - z[positive]).square().sum().item<double>() / 8;
    double nearest = -2;
    int64_t nearest_row = -1;
    for (int64_t k = 0; k < 8; ++k) {
      if (k == i) continue;
      spread += std::exp(-2 * (z[i] - z[k]).square().sum().item<double>()) / 56;
      if (Dot(z[i], z[k]) > nearest) nearest = Dot(z[i], z[k]), nearest_row = k;
    }
    found += nearest_row == positive ? 1.0 / 8 : 0;
  }
  for (int64_t e = 0; e < 3; ++e) {
    const double mean = z.select(1, e).sum().item<double>() / 8;
    double variance = 0;
    for (int64_t i = 0; i < 8; ++i) variance += std::pow(z[i][e].item<double>() - mean, 2) / 8;
    deviation += std::sqrt(variance) / 3;
  }
  EXPECT_NEAR(Alignment(rows).item<double>(), aligned, 1e-12);
  EXPECT_NEAR(Uniformity(rows).item<double>(), std::log(spread), 1e-12);
  EXPECT_NEAR(Retrieval(rows).item<double>(), found, 1e-12);
  EXPECT_NEAR(EmbeddingStd(z).item<double>(), deviation, 1e-12);
}

TEST(CollapseTest, CollapsedRowsShow) {
  const at::Tensor rows = UnitLength(at::full({8, 4}, 0.7, at::kDouble));
  EXPECT_NEAR(EmbeddingStd(rows).item<double>(), 0, 1e-12);
  EXPECT_NEAR(Alignment(AllPairs(rows)).item<double>(), 0, 1e-12);
  EXPECT_NEAR(Uniformity(AllPairs(rows)).item<double>(), 0, 1e-12);
  EXPECT_NEAR(EffectiveRank(rows).item<double>(), 1, 1e-5);
}

TEST(CollapseTest, SpreadPairsShow) {
  const at::Tensor rows = at::eye(4, at::kDouble).repeat({2, 1});
  EXPECT_EQ(Retrieval(AllPairs(rows)).item<double>(), 1);
  EXPECT_NEAR(EffectiveRank(rows).item<double>(), 4, 1e-9);
  EXPECT_NEAR(EmbeddingStd(rows).item<double>(), std::sqrt(0.25 * 0.75), 1e-12);
  EXPECT_EQ(Retrieval(AllPairs(at::eye(8, at::kDouble) - 0.1 * at::eye(8, at::kDouble).roll(4, 0))).item<double>(), 0);
}

TEST(CollapseTest, EffectiveRankIsThatOfKnownSingularValues) {
  // Singular values 3, 1: shares 3/4, 1/4.
  at::Tensor rows = at::eye(2, at::kDouble);
  rows[0] *= 3;
  EXPECT_NEAR(EffectiveRank(rows).item<double>(), std::exp(-(0.75 * std::log(0.75) + 0.25 * std::log(0.25))), 1e-9);
}

TEST(CollapseTest, NothingHasAGradient) {
  at::Tensor leaf = Waves(8, 3);
  leaf.requires_grad_();
  const ContrastRows rows = AllPairs(UnitLength(leaf));
  for (const at::Tensor& statistic : {EmbeddingStd(rows.anchors_NE), Alignment(rows), Uniformity(rows), Retrieval(rows),
                                      EffectiveRank(rows.anchors_NE)}) {
    EXPECT_FALSE(statistic.requires_grad());
  }
}

}  // namespace
}  // namespace mimeo
