#include "worker/training/gang.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "worker/training/testing/local_gang.h"

namespace mimeo {
namespace {

using testing::RunAsGang;
using testing::StatusIs;

GangOptions Alone(int size) {
  GangOptions options;
  options.size = size;
  options.join_timeout = absl::Milliseconds(50);
  return options;
}

TEST(GangTest, SumsOverAllRanks) {
  for (const int size : {1, 2, 4}) {
    RunAsGang(size, [size](Gang* gang) {
      at::Tensor values = at::full({3}, gang->rank() + 1.0, at::kDouble);
      ASSERT_OK(gang->Sum(values));
      EXPECT_EQ(values[2].item<double>(), size * (size + 1) / 2.0);
      EXPECT_EQ(gang->size(), size);
    });
  }
}

TEST(GangTest, SaysWhoDidNotArrive) {
  EXPECT_THAT(Gang::Join(Alone(3)), StatusIs(absl::StatusCode::kDeadlineExceeded, "rank 1, 2 of 3 did not arrive"));
}

TEST(GangTest, TimeInWhichAMemberWaitsDoesNotCount) {
  GangOptions options = Alone(2);
  int asked = 0;
  options.member_waits = [&asked] { return ++asked < 5; };
  EXPECT_THAT(Gang::Join(options), StatusIs(absl::StatusCode::kDeadlineExceeded, "rank 1 of 2 did not arrive"));
  EXPECT_GE(asked, 5);
}

TEST(GangTest, StopsWaitingWhenTold) {
  GangOptions options = Alone(2);
  options.join_timeout = absl::Hours(1);
  options.stop_wanted = [] { return true; };
  EXPECT_THAT(Gang::Join(options), StatusIs(absl::StatusCode::kCancelled));
}

TEST(GangTest, PublishesAnAddressOnItsOwnInterface) {
  GangOptions options = Alone(1);
  std::string address;
  options.publish_store = [&](const std::string& store) { address = store; };
  ASSERT_OK(Gang::Join(options).status());
  EXPECT_EQ(address.rfind("127.0.0.1:", 0), 0u) << address;
  EXPECT_NE(address, "127.0.0.1:0");
}

TEST(GangTest, AStoreThatIsNotThereIsUnavailable) {
  GangOptions options = Alone(2);
  options.rank = 1;
  options.await_store = []() -> absl::StatusOr<std::string> { return "127.0.0.1:1"; };
  EXPECT_THAT(Gang::Join(options), StatusIs(absl::StatusCode::kUnavailable, "127.0.0.1:1"));
}

// An address without a port would be a fault of rank 0, not of the job's spec: so it is no InvalidArgument.
TEST(GangTest, AnAddressThatIsNoneIsRefusedInWords) {
  GangOptions options = Alone(2);
  options.rank = 1;
  for (const char* const said : {"127.0.0.1", "127.0.0.1:port", "127.0.0.1:65536", "::1:7070", ""}) {
    options.await_store = [said]() -> absl::StatusOr<std::string> { return said; };
    EXPECT_THAT(Gang::Join(options), StatusIs(absl::StatusCode::kInternal,
                                              absl::StrCat("the gang's store: \"", said, "\" is not HOST:PORT")));
  }
}

TEST(GangTest, AnAddressThatNeverComesIsPassedOn) {
  GangOptions options = Alone(2);
  options.rank = 1;
  options.await_store = []() -> absl::StatusOr<std::string> { return absl::CancelledError("told to stop"); };
  EXPECT_THAT(Gang::Join(options), StatusIs(absl::StatusCode::kCancelled));
}

TEST(GangTest, AHostThatIsNotThisOnesIsNamed) {
  GangOptions options = Alone(1);
  options.host = "192.0.2.1";
  EXPECT_THAT(Gang::Join(options), StatusIs(absl::StatusCode::kUnavailable, "192.0.2.1"));
}

}  // namespace
}  // namespace mimeo
