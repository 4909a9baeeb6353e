// Rank processes, their files and their logs, with shell scripts as rank binaries.
#include "worker/agent/rank_launch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using testing::StatusIs;

class RankLaunchTest : public ::testing::Test {
 protected:
  RankLaunchTest() {
    options_.rank_binary = Path("rank");
    options_.dir = Path("w0");
    options_.agent_address = "unix:/agent";
    options_.coordinator_address = "10.0.0.1:7070";
    options_.host = "127.0.0.1";
    assignment_.set_job_id("j1");
    assignment_.set_generation(2);
    assignment_.set_rank(3);
    SetBinary("#!/bin/sh\nexit 0\n");
  }

  std::string Path(const std::string& name) const { return JoinPath(dir_.path(), name); }
  std::string RankFile(const std::string& ending) const {
    return absl::StrCat(options_.dir, "/ranks/j1-g2-r3", ending);
  }
  void SetBinary(const std::string& bytes, mode_t mode = 0755) {
    ASSERT_OK(WriteFileAtomic(options_.rank_binary, bytes));
    ASSERT_EQ(chmod(options_.rank_binary.c_str(), mode), 0);
  }
  // How the rank ended.
  std::string Ended(int slot = 0) {
    const auto rank = LaunchRank(options_, assignment_, slot);
    if (!rank.ok()) return rank.status().ToString();
    const auto ended = (*rank)->Wait(Clock::Real()->Now() + absl::Seconds(20));
    return ended.ok() ? ended->ToString() : ended.status().ToString();
  }
  absl::Status Launched() { return LaunchRank(options_, assignment_, 0).status(); }
  std::string Log() const { return ReadFile(RankFile(".log")).value_or("there is none"); }
  // The tail of a log of these bytes.
  std::string Tail(const std::string& bytes) const {
    EXPECT_OK(WriteFileAtomic(Path("log"), bytes));
    return LogTail(Path("log"));
  }

  const TempDir dir_;
  RankLaunchOptions options_;
  GangAssignment assignment_;
};

TEST_F(RankLaunchTest, ARankIsToldWhatToTrainAndWhomToSpeakTo) {
  SetBinary(
      "#!/bin/sh\nprintf '[%s]' \"$@\"\necho \" threads=$OMP_NUM_THREADS device=$CUDA_VISIBLE_DEVICES\"\nexit 3\n");
  options_.cuda_devices = {"GPU-a", "GPU-b"};
  assignment_.mutable_spec()->set_name("caf\xc3\xa9 \"\x1b[2J\n\\");
  EXPECT_EQ(Ended(1), "exited with code 3");
  EXPECT_EQ(Log(), absl::StrCat("[rank][--assignment=", RankFile(".textproto"),
                                "][--agent=unix:/agent][--coordinator=10.0.0.1:7070][--host=127.0.0.1] threads=1 "
                                "device=GPU-b\n"));
  ASSERT_OK_AND_ASSIGN(const std::string text, ReadFile(RankFile(".textproto")));
  GangAssignment read;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &read)) << text;
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(read, assignment_)) << text;
}

TEST_F(RankLaunchTest, ABinaryThatCannotRunIsNamedWithTheReason) {
  SetBinary("#!/bin/sh\n", 0644);
  EXPECT_THAT(Launched(),
              StatusIs(absl::StatusCode::kNotFound, AllOf(HasSubstr(Path("rank")), HasSubstr("Permission denied"))));
  SetBinary("no program");
  EXPECT_THAT(Launched(),
              StatusIs(absl::StatusCode::kInternal, AllOf(HasSubstr(Path("rank")), HasSubstr("Exec format"))));
  options_.rank_binary = dir_.path();
  EXPECT_THAT(Launched(), StatusIs(absl::StatusCode::kInternal, HasSubstr("Permission denied"))) << "a folder";
  options_.rank_binary = Path("absent");
  EXPECT_THAT(Launched(), StatusIs(absl::StatusCode::kNotFound, HasSubstr(Path("absent"))));
}

TEST_F(RankLaunchTest, ARankThatDiesAtOnceLeavesItsLastWords) {
  SetBinary("#!/bin/sh\nprintf 'caf\\351 \\033[2J\\nout of luck' >&2\nkill -9 $$\n");
  EXPECT_EQ(Ended(), "was killed by SIGKILL (9): out of memory?");
  EXPECT_EQ(LogTail(RankLogPath(options_.dir, KeyOf(assignment_))), "caf\\xe9 \\x1b[2J\nout of luck");
  SetBinary("#!/bin/sh\necho again\n");
  EXPECT_EQ(Ended(), "exited with code 0");
  EXPECT_EQ(LogTail(RankFile(".log")), "caf\\xe9 \\x1b[2J\nout of luckagain") << "a log is appended to";
}

TEST_F(RankLaunchTest, AFolderThatCannotBeWrittenIsNamed) {
  ASSERT_OK(WriteFileAtomic(Path("w0"), "a file"));
  EXPECT_THAT(Launched(), StatusIs(absl::StatusCode::kNotFound, HasSubstr(Path("w0"))));
  options_.dir = Path("w1");
  ASSERT_OK(MakeDirs(RankFile(".log")));
  EXPECT_THAT(Launched(), StatusIs(absl::StatusCode::kInternal, HasSubstr(RankFile(".log"))));
  options_.dir = Path("w2");
  ASSERT_OK(MakeDirs(RankFile(".textproto/below")));
  EXPECT_FALSE(Launched().ok());
  EXPECT_THAT(std::string(Launched().message()), HasSubstr(RankFile(".textproto")));
}

// Root may do everything, so the test goes on as another user where it can.
TEST_F(RankLaunchTest, AFolderOfAnotherUserIsRefusedWithItsPath) {
  ASSERT_OK(MakeDirs(options_.dir));
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  const bool root = geteuid() == 0;
  if (root && seteuid(65534) != 0) GTEST_SKIP() << "this user is root, and cannot become another one";
  ASSERT_EQ(root ? 0 : chmod(options_.dir.c_str(), 0), 0);
  const absl::Status launched = Launched();
  ASSERT_EQ(root ? seteuid(0) : 0, 0);
  EXPECT_THAT(launched, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(options_.dir + "/ranks")));
}

TEST_F(RankLaunchTest, ATailBeginsWithALineWhereItCan) {
  EXPECT_EQ(Tail(""), "");
  EXPECT_EQ(Tail("\n\n \n"), "");
  EXPECT_EQ(LogTail(Path("absent")), "");
  EXPECT_EQ(LogTail(dir_.path()), "") << "a folder";
  const std::string line(299, 'x');
  EXPECT_EQ(Tail(line + "\n" + line + "\n"), line + "\n" + line) << "600 bytes are no more than a tail";
  EXPECT_EQ(Tail("y" + line + "\n" + line + "\n"), line);
  EXPECT_EQ(Tail("before\n" + line + "\n" + line + "\n"), line + "\n" + line) << "the cut falls between two lines";
}

TEST_F(RankLaunchTest, ALastLineThatIsLongerThanATailIsCutAndNotLost) {
  const std::string reason = std::string(1000, 'x') + " the reason";
  EXPECT_THAT(Tail("begin\n" + reason + "\n"), AllOf(StartsWith("xxx"), ::testing::EndsWith("x the reason")));
  std::string faces;
  while (faces.size() < 1000) faces += "\xf0\x9f\x98\x80";
  for (const char* shift : {"", "a", "bc", "def"}) {
    const std::string tail = Tail(faces + shift);
    EXPECT_EQ(tail.find('\\'), std::string::npos) << "the cut falls between characters: " << tail.substr(0, 40);
    EXPECT_GT(tail.size(), 590u);
  }
  EXPECT_EQ(Tail(std::string(1000, '\x80')).substr(0, 8), "\\x80\\x80") << "what is no character is said";
}

TEST_F(RankLaunchTest, ALogOverItsBoundBeginsAnewAndItsEndIsKept) {
  const std::string path = Path("log");
  BoundRankLog(path);
  EXPECT_FALSE(FileExists(path)) << "there is none yet";
  ASSERT_OK(WriteFileAtomic(path, "begin\n"));
  ASSERT_EQ(truncate(path.c_str(), limits::kRankLogBytes), 0);
  BoundRankLog(path);
  EXPECT_FALSE(FileExists(path + ".old")) << "at its bound it may stay";
  std::FILE* const log = std::fopen(path.c_str(), "a");
  std::fputs("end\n", log);
  std::fflush(log);
  BoundRankLog(path);
  ASSERT_OK_AND_ASSIGN(const std::string old, ReadFile(path + ".old"));
  EXPECT_EQ(old.size(), static_cast<size_t>(limits::kRankLogTailBytes));
  EXPECT_EQ(old.substr(old.size() - 4), "end\n");
  std::fputs("goes on\n", log);
  std::fclose(log);
  EXPECT_EQ(ReadFile(path).value_or(""), "goes on\n");
}

TEST_F(RankLaunchTest, ALogWhoseEndCannotBeKeptIsCutAllTheSame) {
  const std::string path = Path("log");
  ASSERT_OK(WriteFileAtomic(path, ""));
  ASSERT_EQ(truncate(path.c_str(), limits::kRankLogBytes + 1), 0);
  ASSERT_OK(MakeDirs(path + ".old/below"));
  BoundRankLog(path);
  EXPECT_EQ(ReadFile(path).value_or("?"), "");
}

TEST_F(RankLaunchTest, OfEndedRanksTheNewestLogsStayAndThoseThatRunKeepTheirs) {
  ASSERT_EQ(Ended(), "exited with code 0");
  const RankKey ended = KeyOf(assignment_), running{"j0", 1, 0};
  const auto write = [&](const std::string& name, int age) {
    const std::string path = JoinPath(options_.dir, "ranks/" + name);
    ASSERT_OK(WriteFileAtomic(path, name));
    const timespec times[2] = {{1000000 - age, 0}, {1000000 - age, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  };
  const auto is_there = [&](const std::string& name) { return FileExists(JoinPath(options_.dir, "ranks/" + name)); };
  write("j0-g1-r0.log", 5000);  // trains for weeks and prints nothing
  for (int i = 0; i < limits::kRankLogsKept; ++i) write(absl::StrCat("j2-g", i, "-r7.log"), i);
  const std::string oldest = absl::StrCat("j2-g", limits::kRankLogsKept - 1, "-r7.log");
  write(oldest + ".old", 0);
  write(oldest + ".nccl.7", 0);
  write("notes.txt", 9000);
  CleanRankFiles(options_.dir, ended, {running});
  EXPECT_FALSE(is_there("j1-g2-r3.textproto"));
  EXPECT_TRUE(is_there("j1-g2-r3.log")) << "the newest";
  EXPECT_TRUE(is_there("j0-g1-r0.log")) << "of a rank that runs";
  EXPECT_TRUE(is_there("notes.txt")) << "a person's";
  for (const char* ending : {"", ".old", ".nccl.7"}) EXPECT_FALSE(is_there(oldest + ending)) << ending;
  EXPECT_TRUE(is_there(absl::StrCat("j2-g", limits::kRankLogsKept - 2, "-r7.log")));
  CleanRankFiles(options_.dir, ended, {});
  EXPECT_FALSE(is_there("j0-g1-r0.log"));
}

}  // namespace
}  // namespace mimeo
