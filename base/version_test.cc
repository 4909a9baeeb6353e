#include "base/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::MatchesRegex;
using testing::StatusIs;

TEST(VersionTest, IsThatOfTheFileAndOneLine) {
  ASSERT_OK_AND_ASSIGN(const std::string file, ReadFile("VERSION"));
  EXPECT_EQ(Version(), absl::StripAsciiWhitespace(file));
  EXPECT_THAT(VersionText(), MatchesRegex("mimeo [0-9]+\\.[0-9]+\\.[0-9]+ \\(commit [0-9a-z-]+, protocol [0-9]+\\)"));
  EXPECT_EQ(VersionText("2.11.0"), VersionText() + ", libtorch 2.11.0");
}

TEST(BuildInfoTest, AnotherProtocolVersionIsRefusedWithBoth) {
  const BuildInfo own = ThisBuild("2.11.0");
  EXPECT_EQ(own.version(), Version());
  EXPECT_EQ(own.libtorch(), "2.11.0");
  EXPECT_OK(CheckProtocol("worker", "w0", own));
  BuildInfo newer = own;
  newer.set_version("9.9.9");
  newer.set_commit("abc1234");
  newer.set_protocol(kProtocolVersion + 1);
  EXPECT_THAT(CheckProtocol("worker", "w0", newer),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       absl::StrCat("worker w0 is mimeo 9.9.9 (commit abc1234, protocol ", kProtocolVersion + 1, ")")));
  EXPECT_THAT(CheckProtocol("worker", "w0", newer), StatusIs(absl::StatusCode::kFailedPrecondition, VersionText()));
  EXPECT_THAT(
      CheckProtocol("teacher", "clip", BuildInfo()),
      StatusIs(absl::StatusCode::kFailedPrecondition, "teacher clip is mimeo of an earlier build (protocol 0)"));
}

}  // namespace
}  // namespace mimeo
