#include "evaluation/answers.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Six images of class 1, of which five are right; two of class 3, of which one is.
const Answers kUneven = {{1, 1, 1, 1, 1, 1, 3, 3}, {1, 1, 1, 1, 1, 7, 3, 1}};

TEST(AnswersTest, AccuracyCountsImagesAndBalancedAccuracyCountsClasses) {
  EXPECT_DOUBLE_EQ(Accuracy(kUneven), 6.0 / 8);
  EXPECT_DOUBLE_EQ(BalancedAccuracy(kUneven), (5.0 / 6 + 1.0 / 2) / 2);
  EXPECT_DOUBLE_EQ(Accuracy({}), 0);
  EXPECT_DOUBLE_EQ(BalancedAccuracy({}), 0);
}

TEST(AnswersTest, AClassThatIsOnlySaidHasNoRow) {
  const std::vector<ClassAnswers> classes = ByClass(kUneven);
  ASSERT_THAT(classes, SizeIs(2));
  EXPECT_EQ(classes[0].label, 1);
  EXPECT_EQ(classes[0].images, 6);
  EXPECT_EQ(classes[0].right, 5);
  EXPECT_EQ(classes[1].label, 3);
  EXPECT_DOUBLE_EQ(classes[1].recall(), 0.5);
}

TEST(AnswersTest, TheMostFrequentClassIsAlwaysSaid) {
  const Answers guessed = AlwaysMostFrequent({3, 1, 3, 2, 3, 1});
  EXPECT_THAT(guessed.said, ElementsAre(3, 3, 3, 3, 3, 3));
  EXPECT_DOUBLE_EQ(Accuracy(guessed), 0.5);
  EXPECT_DOUBLE_EQ(BalancedAccuracy(guessed), 1.0 / 3);
  EXPECT_THAT(AlwaysMostFrequent({2, 1}).said, ElementsAre(1, 1));
  EXPECT_THAT(AlwaysMostFrequent({}).said, IsEmpty());
}

}  // namespace
}  // namespace mimeo
