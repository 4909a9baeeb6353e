#include "data/epoch_order.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace mimeo {
namespace {

TEST(EpochOrderTest, IsAPermutationThatDependsOnSeedAndEpoch) {
  std::vector<int64_t> order = EpochOrder(7, 3, 1000);
  EXPECT_EQ(order, EpochOrder(7, 3, 1000));
  EXPECT_NE(order, EpochOrder(7, 4, 1000));
  EXPECT_NE(order, EpochOrder(8, 3, 1000));
  std::sort(order.begin(), order.end());
  std::vector<int64_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(order, all);
}

TEST(ReplacementPositionTest, VisitsEveryPositionOnceWhateverTheCommonDivisor) {
  for (int64_t size : {1, 5, 12, 13}) {
    for (int64_t global_batch = 1; global_batch <= size; ++global_batch) {
      for (int64_t position = 0; position < size; ++position) {
        std::set<int64_t> seen;
        for (int64_t attempt = 0; attempt < size; ++attempt) {
          seen.insert(ReplacementPosition(position, attempt, global_batch, size));
        }
        EXPECT_EQ(static_cast<int64_t>(seen.size()), size) << size << " " << global_batch << " " << position;
      }
    }
  }
}

TEST(ReplacementPositionTest, TakesTheSameSlotOfTheNextGlobalBatch) {
  EXPECT_EQ(ReplacementPosition(3, 0, 4, 14), 3);
  EXPECT_EQ(ReplacementPosition(3, 1, 4, 14), 7);
  EXPECT_EQ(ReplacementPosition(3, 2, 4, 14), 11);
}

TEST(ReplacementPositionTest, SlotsOfOneBatchNeverShareAReplacement) {
  for (int64_t attempt = 0; attempt < 12; ++attempt) {
    std::set<int64_t> seen;
    for (int64_t slot = 0; slot < 4; ++slot) seen.insert(ReplacementPosition(slot, attempt, 4, 12));
    EXPECT_EQ(seen.size(), 4u) << attempt;
  }
}

}  // namespace
}  // namespace mimeo
