#include "base/check.h"

#include "gtest/gtest.h"

namespace mimeo {
namespace {

TEST(CheckDeathTest, AFalseConditionAbortsWithPlaceConditionAndMessage) {
  const int rows = 3;
  EXPECT_EXIT(MIMEO_CHECK(rows % 2 == 0, "an even number of rows is wanted, not ", rows),
              ::testing::KilledBySignal(SIGABRT),
              "check_test.cc:[0-9]+: MIMEO_CHECK\\(rows % 2 == 0\\) failed: an even number of rows is wanted, not 3");
}

TEST(CheckTest, ATrueConditionIsEvaluatedOnceAndItsMessageNever) {
  int conditions = 0, messages = 0;
  MIMEO_CHECK(++conditions > 0, ++messages);
  EXPECT_EQ(conditions, 1);
  EXPECT_EQ(messages, 0);
}

TEST(CheckTest, ItIsOneStatement) {
  bool otherwise = false;
  if (false)
    MIMEO_CHECK(false, "not reached");
  else
    otherwise = true;
  EXPECT_TRUE(otherwise);
}

}  // namespace
}  // namespace mimeo
