#include "evaluation/left_out.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/process.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(IsBadImageTest, IsAboutOneImageAndNotAboutTheDisk) {
  for (const absl::Status& bad : {absl::InvalidArgumentError("no JPEG"), absl::DataLossError("too large"),
                                  absl::AbortedError("libtorch threw")}) {
    EXPECT_TRUE(IsBadImage(bad)) << bad;
  }
  for (const absl::Status& other : {absl::OkStatus(), absl::UnavailableError("the mount is gone"),
                                    absl::ResourceExhaustedError("no memory"), absl::CancelledError("stop")}) {
    EXPECT_FALSE(IsBadImage(other)) << other;
  }
}

TEST(LogLeftOutTest, NamesTwentyAndCountsTheOthers) {
  TempDir dir;
  std::vector<LeftOut> left_out;
  for (int i = 10; i < 35; ++i) {
    ASSERT_OK(WriteFileAtomic(JoinPath(dir.path(), absl::StrCat("\x1b", i, ".png")), "text"));
    left_out.push_back({i - 10, "no\nPNG"});
  }
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Dataset> dataset, Dataset::Open(dir.path()));
  ::testing::internal::CaptureStderr();
  StartLogging("left_out_test");
  LogLeftOut(*dataset, left_out);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("image \\x1b10.png is left out: no\\x0aPNG"));
  EXPECT_THAT(said, HasSubstr("image \\x1b29.png is left out"));
  EXPECT_THAT(said, Not(HasSubstr("30.png")));
  EXPECT_THAT(said, HasSubstr("and 5 more images are left out"));
  const PassedOver row = Undecodable(*dataset, left_out);
  EXPECT_EQ(row.count(), 25);
  ASSERT_EQ(row.names_size(), 20);
  EXPECT_EQ(row.names(0), "\\x1b10.png: no\\x0aPNG");
}

}  // namespace
}  // namespace mimeo
