#include "worker/training/row_gatherer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "model/catch_torch.h"
#include "worker/training/testing/local_gang.h"

namespace mimeo {
namespace {

using testing::RunAsGang;

constexpr int64_t kRows = 2, kWidth = 3;

// Row b of rank r holds 100 r + 10 b + column.
at::Tensor RowsOf(int rank) {
  return at::arange(kRows, at::kDouble).unsqueeze(1) * 10 + at::arange(kWidth, at::kDouble) + 100 * rank;
}

TEST(RowGathererTest, EveryRankSeesAllRowsInOrderOfRank) {
  for (const int size : {1, 2, 3}) {
    RunAsGang(size, [size](Gang* gang) {
      const RowGatherer rows = MakeRowGatherer(gang);
      EXPECT_EQ(rows.rank, gang->rank());
      EXPECT_EQ(rows.size, size);
      const at::Tensor all = rows.gather(RowsOf(gang->rank()));
      ASSERT_EQ(all.size(0), size * kRows);
      for (int rank = 0; rank < size; ++rank) EXPECT_TRUE(at::equal(all.narrow(0, rank * kRows, kRows), RowsOf(rank)));
      EXPECT_FALSE(all.requires_grad());
    });
  }
}

// Rank r's loss weighs row i by (r + 1) (i + 1), so that the gradient of row i is (i + 1) times the sum of all r + 1.
TEST(RowGathererTest, ARowsGradientIsTheSumOverRanks) {
  for (const int size : {1, 2, 4}) {
    RunAsGang(size, [size](Gang* gang) {
      at::Tensor own = RowsOf(gang->rank());
      own.requires_grad_();
      const at::Tensor all = MakeRowGatherer(gang).gather(own * 1);
      const at::Tensor weights = (at::arange(size * kRows, at::kDouble) + 1) * (gang->rank() + 1);
      (all.sum(1) * weights).sum().backward();
      const double sum_over_ranks = size * (size + 1) / 2.0;
      for (int64_t b = 0; b < kRows; ++b) {
        const double expected = static_cast<double>(gang->rank() * kRows + b + 1) * sum_over_ranks;
        EXPECT_TRUE(at::equal(own.grad()[b], at::full({kWidth}, expected, at::kDouble))) << own.grad();
      }
    });
  }
}

TEST(RowGathererTest, AMissingMemberIsAStatus) {
  RunAsGang(2, [](Gang* gang) {
    if (gang->rank() == 1) return;  // closes its connections
    EXPECT_EQ(CatchTorch([&] { MakeRowGatherer(gang).gather(RowsOf(0)); }).code(), absl::StatusCode::kAborted);
  });
}

}  // namespace
}  // namespace mimeo
