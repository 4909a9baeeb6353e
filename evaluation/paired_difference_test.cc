#include "evaluation/paired_difference.h"

#include "gtest/gtest.h"

namespace mimeo {
namespace {

// The second is what the tests of the R package contingencytables expect of Newcombe_square_and_add_CI_paired_2x2 (Cavo
// et al. 2012). The two others are what the formula gives in another program.
TEST(PairedDifferenceTest, EqualsOtherImplementations) {
  struct Case {
    PairedCounts counts;
    double difference, low, high;
  };
  const Case cases[] = {
      {{36, 12, 2, 0}, 0.2, 0.0569, 0.3404},
      {{59, 6, 16, 80}, -0.0621, -0.1186, -0.0046},
      {{1, 1, 7, 12}, -0.2857, -0.5069, -0.0256},
  };
  for (const Case& known : cases) {
    const PairedDifference found = DifferenceOf(known.counts);
    EXPECT_NEAR(found.difference, known.difference, 5e-5);
    EXPECT_NEAR(found.low, known.low, 5e-5) << known.counts.both;
    EXPECT_NEAR(found.high, known.high, 5e-5) << known.counts.both;
  }
}

TEST(PairedDifferenceTest, TheOtherWayRoundItHasTheOtherSign) {
  const PairedDifference one = DifferenceOf({20, 9, 3, 8}), other = DifferenceOf({20, 3, 9, 8});
  EXPECT_DOUBLE_EQ(one.difference, -other.difference);
  EXPECT_DOUBLE_EQ(one.low, -other.high);
  EXPECT_DOUBLE_EQ(one.high, -other.low);
}

// Equal answers are no proof of equality: with few images the interval stays wide.
TEST(PairedDifferenceTest, AnIntervalIsNeverAPoint) {
  for (const PairedCounts& counts : {PairedCounts{6, 0, 0, 0}, PairedCounts{0, 0, 0, 6}, PairedCounts{3, 0, 0, 3}}) {
    const PairedDifference found = DifferenceOf(counts);
    EXPECT_EQ(found.difference, 0);
    EXPECT_LT(found.low, -0.1);
    EXPECT_GT(found.high, 0.1);
  }
  EXPECT_GT(DifferenceOf({500, 0, 0, 500}).low, -0.02);
  EXPECT_EQ(DifferenceOf({}).low, -1);
  EXPECT_EQ(DifferenceOf({}).high, 1);
}

TEST(PairedDifferenceTest, PairsAreCountedImageByImage) {
  const Answers first = {{1, 1, 2, 2, 2}, {1, 1, 2, 9, 9}}, second = {{1, 1, 2, 2, 2}, {1, 9, 9, 2, 9}};
  const PairedCounts counts = CountPairs(first, second);
  EXPECT_EQ(counts.both, 1);
  EXPECT_EQ(counts.first_only, 2);
  EXPECT_EQ(counts.second_only, 1);
  EXPECT_EQ(counts.neither, 1);
}

}  // namespace
}  // namespace mimeo
