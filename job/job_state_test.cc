#include "job/job_state.h"

#include "gtest/gtest.h"

namespace mimeo {
namespace {

TEST(StateNameTest, IsTheLastPartInLowerCase) {
  EXPECT_EQ(StateName(JOB_STATE_PENDING), "pending");
  EXPECT_EQ(StateName(JOB_STATE_SUCCEEDED), "succeeded");
}

TEST(StateNameTest, AStateOfALaterVersionIsItsNumber) {
  EXPECT_EQ(StateName(static_cast<JobState>(77)), "unknown (77)");
}

}  // namespace
}  // namespace mimeo
