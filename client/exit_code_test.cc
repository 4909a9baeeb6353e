#include "client/exit_code.h"

#include <gtest/gtest.h>

namespace mimeo {
namespace {

TEST(ExitCodeTest, SaysWhoseFaultItWas) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("")), 1);
  EXPECT_EQ(ExitCodeOf(absl::ResourceExhaustedError("the coordinator's disk is full")), 1);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::NotFoundError("")), 2);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("")), 3);
}

}  // namespace
}  // namespace mimeo
