#include "worker/agent/log_piece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log_limits.h"
#include "worker/agent/rank_launch.h"

namespace mimeo {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class LogPieceTest : public ::testing::Test {
 protected:
  LogPieceTest() { EXPECT_TRUE(MakeDirs(JoinPath(dir_.path(), "ranks")).ok()); }

  void Write(const std::string& bytes, const std::string& end = "") {
    EXPECT_TRUE(WriteFileAtomic(RankLogPath(dir_.path(), {"j1", 2, 0}) + end, bytes).ok());
  }
  LogPiece Read(int64_t offset = -1, int lines = 0, bool ended = true) {
    LogWish wish;
    wish.set_id(7);
    wish.set_job_id(job_);
    wish.set_generation(2);
    wish.set_offset(offset);
    wish.set_lines(lines);
    return ReadLogPiece(dir_.path(), wish, ended);
  }

  TempDir dir_;
  std::string job_ = "j1";
};

TEST_F(LogPieceTest, TheLastLinesAndWhereTheNextPieceBegins) {
  Write("one\ntwo\nthree\nfour");
  const LogPiece last = Read(-1, 2);
  EXPECT_EQ(last.text(), "three\nfour");
  EXPECT_TRUE(last.cut());
  EXPECT_EQ(last.next_offset(), 18);
  EXPECT_EQ(last.wish_id(), 7);
  const LogPiece all = Read(-1, 0);
  EXPECT_EQ(all.text(), "one\ntwo\nthree\nfour");
  EXPECT_FALSE(all.cut());
  EXPECT_EQ(Read(-1, 4).text(), all.text());
  EXPECT_EQ(Read(-1, 400).text(), all.text());
  EXPECT_EQ(Read(4).text(), "two\nthree\nfour");
  EXPECT_EQ(Read(18).text(), "");
}

TEST_F(LogPieceTest, ALineThatIsStillBeingWrittenComesWithTheNextPiece) {
  Write("one\ntw");
  const LogPiece first = Read(-1, 0, /*ended=*/false);
  EXPECT_EQ(first.text(), "one\n");
  Write("one\ntwo\n");
  EXPECT_EQ(Read(first.next_offset(), 0, /*ended=*/false).text(), "two\n");
}

TEST_F(LogPieceTest, ALongLogIsBoundedAndBeginsWithALine) {
  std::string bytes;
  for (int i = 0; bytes.size() < 3 * limits::kLogPieceBytes; ++i) absl::StrAppend(&bytes, "line ", i, "\n");
  Write(bytes);
  const LogPiece last = Read();
  EXPECT_LE(last.text().size(), static_cast<size_t>(limits::kLogPieceBytes));
  EXPECT_THAT(last.text(), StartsWith("line "));
  EXPECT_THAT(bytes, EndsWith(last.text()));
  EXPECT_TRUE(last.cut());
  // From the beginning, in pieces: nothing is lost or said twice.
  std::string all;
  for (int64_t offset = 0; offset < static_cast<int64_t>(bytes.size());) {
    const LogPiece piece = Read(offset, 0, /*ended=*/false);
    ASSERT_GT(piece.next_offset(), offset);
    offset = piece.next_offset();
    all += piece.text();
  }
  EXPECT_EQ(all, bytes);
}

TEST_F(LogPieceTest, ALineWithoutEndComesInParts) {
  Write(std::string(2 * limits::kLogPieceBytes, 'x'));
  const LogPiece piece = Read(0, 0, /*ended=*/false);
  EXPECT_EQ(piece.next_offset(), limits::kLogPieceBytes);
}

TEST_F(LogPieceTest, WhateverBytesAreInItItIsText) {
  Write("\x1b[2J caf\xe9\n");
  EXPECT_EQ(Read().text(), "\\x1b[2J caf\\xe9\n");
  Write(std::string(limits::kLogPieceBytes, '\x01'));
  EXPECT_EQ(Read().text().size(), static_cast<size_t>(limits::kLogTextBytes)) << "the most that a piece may have";
}

TEST_F(LogPieceTest, ALogThatBeganAnewIsReadFromItsBeginningAndWithItsEndBefore) {
  Write("new\n");
  Write("before\n", ".old");
  EXPECT_EQ(Read().text(), "before\nnew\n");
  EXPECT_EQ(Read(100).text(), "new\n") << "it was longer when it was read";
}

TEST_F(LogPieceTest, NoFileAndNoJobAreSaid) {
  const LogPiece missing = Read();
  EXPECT_EQ(missing.status_code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_THAT(missing.message(), HasSubstr("no log of rank 0 of generation 2 of j1"));
  job_ = "../../etc/passwd";
  EXPECT_EQ(Read().status_code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace mimeo
