#include "objective/feature_stats.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/sin.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace mimeo {
namespace {

// Whose mean patch tokens are these rows: two patches, one a little above and one below.
Encoding Of(const at::Tensor& rows_ND) {
  const at::Tensor offsets_12D = (at::arange(2, at::kDouble) * 2 - 1).view({1, 2, 1});
  Encoding encoding;
  encoding.visible_BKD = rows_ND.unsqueeze(1) + 0.3 * offsets_12D;
  return encoding;
}

double Value(const std::map<std::string, at::Tensor>& stats, const char* name) {
  return stats.at(std::string("encoder/") + name).item<double>();
}

TEST(FeatureStatsTest, OneFeatureForAllImagesIsCollapse) {
  const at::Tensor same = at::sin(at::arange(12, at::kDouble)).expand({6, 12});
  const auto stats = FeatureStats({Of(same), Of(same)});
  EXPECT_NEAR(Value(stats, "embedding_std"), 0, 1e-12);
  EXPECT_NEAR(Value(stats, "effective_rank"), 1, 1e-3);
  EXPECT_NEAR(Value(stats, "alignment"), 0, 1e-12);
  EXPECT_NEAR(Value(stats, "uniformity"), 0, 1e-12);
}

TEST(FeatureStatsTest, OrthogonalFeaturesFillTheSpace) {
  const at::Tensor rows = at::eye(6, at::kDouble) * 3;
  const auto stats = FeatureStats({Of(rows), Of(rows)});
  EXPECT_NEAR(Value(stats, "effective_rank"), 6, 1e-6);
  EXPECT_NEAR(Value(stats, "embedding_std"), std::sqrt(1.0 / 6 * (1 - 1.0 / 6)), 1e-12);
  EXPECT_NEAR(Value(stats, "alignment"), 0, 1e-12);
  EXPECT_EQ(Value(stats, "retrieval"), 1);
}

// A step whose features are absurd is skipped (limits::kNonFiniteStepsInARow): its statistics may not end the job
// first.
TEST(FeatureStatsTest, AbsurdFeaturesHaveStatisticsAllTheSame) {
  const at::Tensor rows = at::sin(at::arange(6 * 12, at::kFloat)).view({6, 12});
  for (const float absurd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                             std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min()}) {
    at::Tensor odd = rows.clone();
    odd[2][3] = absurd;
    const auto stats = FeatureStats({Of(odd), Of(rows)});
    const double rank = Value(stats, "effective_rank");
    EXPECT_TRUE(std::isfinite(absurd) ? rank >= 1 && rank <= 6.001 : std::isnan(rank)) << absurd << ": " << rank;
  }
}

// Alignment, uniformity and retrieval of two views, number by number.
TEST(FeatureStatsTest, TwoViewsAgainstLoops) {
  constexpr int64_t kRows = 5, kWidth = 4;
  const at::Tensor first = at::sin(at::arange(kRows * kWidth, at::kDouble)).view({kRows, kWidth});
  const at::Tensor second = first + 0.4 * at::sin(at::arange(kRows * kWidth, at::kDouble) * 5.1).view({kRows, kWidth});
  std::vector<std::vector<double>> z;
  for (const at::Tensor& view : {first, second}) {
    for (int64_t n = 0; n < kRows; ++n) {
      z.emplace_back();
      double length = 0;
      for (int64_t d = 0; d < kWidth; ++d) length += std::pow(view[n][d].item<double>(), 2);
      for (int64_t d = 0; d < kWidth; ++d) z.back().push_back(view[n][d].item<double>() / std::sqrt(length));
    }
  }
  const auto distance = [&](size_t i, size_t j) {
    double sum = 0;
    for (size_t d = 0; d < z[i].size(); ++d) sum += std::pow(z[i][d] - z[j][d], 2);
    return sum;
  };
  double alignment = 0, spread = 0, found = 0;
  const size_t count = z.size();
  for (size_t i = 0; i < count; ++i) {
    size_t nearest = i == 0 ? 1 : 0;
    for (size_t j = 0; j < count; ++j) {
      if (j == i) continue;
      spread += std::exp(-2 * distance(i, j)) / static_cast<double>(count * (count - 1));
      if (distance(i, j) < distance(i, nearest)) nearest = j;
    }
    alignment += distance(i, (i + kRows) % count) / static_cast<double>(count);
    found += nearest == (i + kRows) % count ? 1.0 / static_cast<double>(count) : 0;
  }
  const auto stats = FeatureStats({Of(first), Of(second)});
  EXPECT_NEAR(Value(stats, "alignment"), alignment, 1e-12);
  EXPECT_NEAR(Value(stats, "uniformity"), std::log(spread), 1e-12);
  EXPECT_NEAR(Value(stats, "retrieval"), found, 1e-12);
}

TEST(FeatureStatsTest, OneEncodingHasNoNeighbourOfItsOwn) {
  EXPECT_EQ(FeatureStats({Of(at::eye(3, at::kDouble))}).size(), 2u);
}

}  // namespace
}  // namespace mimeo
