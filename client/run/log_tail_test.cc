#include "client/run/log_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/limits.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class LogTailTest : public ::testing::Test {
 protected:
  std::string TailOf(const std::string& bytes) {
    const std::string path = JoinPath(dir_.path(), "log");
    EXPECT_TRUE(WriteFileAtomic(path, bytes).ok());
    return LogTail(path);
  }
  const TempDir dir_;
};

TEST_F(LogTailTest, EachLineStandsOnALineOfItsOwn) {
  EXPECT_EQ(TailOf("first\nsecond\n"), "\n  | first\n  | second");
  EXPECT_EQ(TailOf("no line break at the end"), "\n  | no line break at the end");
}

TEST_F(LogTailTest, OfManyLinesTheLastDozen) {
  std::string log;
  for (int i = 1; i <= 100; ++i) absl::StrAppend(&log, "line ", i, "\n");
  const std::string tail = TailOf(log);
  EXPECT_THAT(tail, StartsWith("\n  | line 89\n"));
  EXPECT_THAT(tail, HasSubstr("line 100"));
  EXPECT_THAT(tail, Not(HasSubstr("line 88")));
}

TEST_F(LogTailTest, OfAHugeLogOnlyTheEndIsRead) {
  const std::string tail = TailOf(std::string(1 << 20, 'x') + "\nthe end\n");
  EXPECT_THAT(tail, HasSubstr("the end"));
  EXPECT_LT(tail.size(), size_t{2} * limits::kShortReasonBytes);
}

TEST_F(LogTailTest, BytesThatAreNoTextAreWrittenOut) {
  EXPECT_EQ(TailOf("caf\xe9\x1b[31m\n"), "\n  | caf\\xe9\\x1b[31m");
}

TEST_F(LogTailTest, AnEmptyLogOrNoneHasNoTail) {
  EXPECT_EQ(TailOf(""), "");
  EXPECT_EQ(TailOf("\n\n"), "");
  EXPECT_EQ(LogTail(dir_.path() + "/none"), "");
}

}  // namespace
}  // namespace mimeo
