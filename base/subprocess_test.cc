#include "base/subprocess.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/process.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

absl::Time Soon() { return Clock::Real()->Now() + absl::Seconds(20); }

Subprocess::Options Shell(const std::string& script) {
  Subprocess::Options options;
  options.argv = {"/bin/sh", "-c", script};
  return options;
}

// Runs `script` to its end and returns what it wrote to stdout.
absl::StatusOr<std::string> Output(Subprocess::Options options, ExitStatus* exit = nullptr) {
  options.capture_stdout = true;
  absl::StatusOr<std::unique_ptr<Subprocess>> child = Subprocess::Start(options);
  if (!child.ok()) return child.status();
  const absl::StatusOr<ExitStatus> ended = (*child)->Wait(Soon());
  if (!ended.ok()) return ended.status();
  if (exit != nullptr) *exit = *ended;
  return (*child)->output();
}

TEST(SubprocessTest, TellsHowTheChildEnded) {
  ExitStatus exit;
  ASSERT_OK_AND_ASSIGN(const std::string output, Output(Shell("echo out; exit 3"), &exit));
  EXPECT_EQ(output, "out\n");
  EXPECT_EQ(exit.code, 3);
  EXPECT_FALSE(exit.ok());
  EXPECT_EQ(exit.ToString(), "exited with code 3");
  ASSERT_OK(Output(Shell("kill -9 $$"), &exit));
  EXPECT_EQ(exit.signal, SIGKILL);
  EXPECT_EQ(exit.ToString(), "was killed by SIGKILL (9): out of memory?");
  ASSERT_OK(Output(Shell("kill -11 $$"), &exit));
  EXPECT_EQ(exit.ToString(), "was killed by SIGSEGV (11)");
  ASSERT_OK(Output(Shell("true"), &exit));
  EXPECT_TRUE(exit.ok());
}

TEST(SubprocessTest, HandsOverBothOutputsAsTheyCome) {
  std::string out, err;
  Subprocess::Options options = Shell("printf one; printf two >&2; printf three; head -c 300000 /dev/zero >&2; exit 4");
  options.on_stdout = [&](absl::string_view piece) { out.append(piece.data(), piece.size()); };
  options.on_stderr = [&](absl::string_view piece) { err.append(piece.data(), piece.size()); };
  ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(options));
  ASSERT_OK_AND_ASSIGN(const ExitStatus exit, child->Wait(Soon()));
  EXPECT_EQ(exit.code, 4);
  EXPECT_EQ(out, "onethree");
  EXPECT_EQ(err, "two" + std::string(300000, '\0'));
  EXPECT_EQ(child->output(), "");
}

TEST(SubprocessTest, WaitEndsAtItsDeadlineAndASignalEndsTheChild) {
  ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(Shell("exec sleep 1000")));
  EXPECT_TRUE(child->running());
  EXPECT_THAT(child->Wait(absl::InfinitePast()),
              StatusIs(absl::StatusCode::kDeadlineExceeded, absl::StrCat(child->pid())));
  EXPECT_THAT(child->Wait(Clock::Real()->Now() + absl::Milliseconds(5)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  child->Signal(SIGTERM);
  ASSERT_OK_AND_ASSIGN(const ExitStatus exit, child->Wait(Soon()));
  EXPECT_EQ(exit.signal, SIGTERM);
  EXPECT_FALSE(child->running());
  child->Signal(SIGTERM);
  ASSERT_OK_AND_ASSIGN(const ExitStatus again, child->Wait(absl::InfinitePast()));
  EXPECT_EQ(again.signal, SIGTERM);
}

TEST(SubprocessTest, TheDestructorKillsAndReaps) {
  pid_t pid;
  {
    ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(Shell("exec sleep 1000")));
    pid = child->pid();
    EXPECT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

TEST(SubprocessTest, MoreOutputThanAPipeHoldsIsRead) {
  ASSERT_OK_AND_ASSIGN(const std::string output, Output(Shell("head -c 1000000 /dev/zero")));
  EXPECT_EQ(output.size(), 1000000u);
}

TEST(SubprocessTest, OutputBeyondTheLimitIsDroppedAndTheChildGoesOn) {
  ExitStatus exit;
  ASSERT_OK_AND_ASSIGN(
      const std::string output,
      Output(Shell(absl::StrCat("head -c ", limits::kCapturedOutputBytes + 1000, " /dev/zero")), &exit));
  EXPECT_EQ(static_cast<int64_t>(output.size()), limits::kCapturedOutputBytes);
  EXPECT_TRUE(exit.ok());
}

TEST(SubprocessTest, AGrandchildThatKeepsThePipeOpenDelaysNothing) {
  ASSERT_OK_AND_ASSIGN(const std::string output, Output(Shell("sleep 1000 & echo $!")));
  const pid_t grandchild = std::stoi(output);
  EXPECT_EQ(kill(grandchild, SIGKILL), 0);
}

TEST(SubprocessTest, OutputGoesToTheEndOfAFile) {
  const TempDir dir;
  Subprocess::Options options = Shell("echo out; echo err >&2");
  options.output_path = JoinPath(dir.path(), "log");
  ASSERT_OK(WriteFileAtomic(options.output_path, "before\n"));
  ASSERT_OK_AND_ASSIGN(const auto child, Subprocess::Start(options));
  ASSERT_OK(child->Wait(Soon()));
  ASSERT_OK_AND_ASSIGN(const std::string log, ReadFile(options.output_path));
  EXPECT_EQ(log, "before\nout\nerr\n");
}

TEST(SubprocessTest, TheEnvironmentIsTheParentsWithChanges) {
  ASSERT_EQ(setenv("MIMEO_TEST_KEPT", "kept", 1), 0);
  ASSERT_EQ(setenv("MIMEO_TEST_CHANGED", "old", 1), 0);
  Subprocess::Options options = Shell("echo $MIMEO_TEST_KEPT $MIMEO_TEST_CHANGED; env | grep -c MIMEO_TEST_CHANGED");
  options.extra_env = {"MIMEO_TEST_CHANGED=new"};
  ASSERT_OK_AND_ASSIGN(const std::string output, Output(options));
  EXPECT_EQ(output, "kept new\n1\n");
}

TEST(SubprocessTest, AMissingBinaryIsNotFoundAndABrokenOneIsInternal) {
  Subprocess::Options options;
  options.argv = {"/nonexistent/binary"};
  EXPECT_THAT(Subprocess::Start(options).status(), StatusIs(absl::StatusCode::kNotFound, "/nonexistent/binary"));
  const TempDir dir;
  options.argv = {JoinPath(dir.path(), "broken")};
  ASSERT_OK(WriteFileAtomic(options.argv[0],
                            "\x7f"
                            "ELF nonsense"));
  ASSERT_EQ(chmod(options.argv[0].c_str(), 0755), 0);
  EXPECT_THAT(Subprocess::Start(options).status(), StatusIs(absl::StatusCode::kInternal, options.argv[0]));
  EXPECT_THAT(Subprocess::Start(Subprocess::Options()).status(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SubprocessTest, NoDescriptorIsHandedOn) {
  std::vector<int> leaked;
  for (int i = 0; i < 20; ++i) leaked.push_back(open("/dev/null", O_RDONLY));  // without O_CLOEXEC
  ASSERT_GT(leaked.back(), 10);
  ASSERT_OK_AND_ASSIGN(const std::string descriptors, Output(Shell("ls /proc/$$/fd")));
  for (const int fd : leaked) close(fd);
  EXPECT_EQ(descriptors, "0\n1\n2\n");
}

// This process blocks them from its start, as each of our binaries does.
TEST(SubprocessTest, NoBlockedSignalIsHandedOn) {
  ASSERT_OK_AND_ASSIGN(const std::string own, ReadFile("/proc/thread-self/status"));
  EXPECT_EQ(own.find("SigBlk:\t0000000000000000\n"), std::string::npos);
  ASSERT_OK_AND_ASSIGN(const std::string blocked, Output(Shell("grep SigBlk /proc/self/status")));
  EXPECT_EQ(blocked, "SigBlk:\t0000000000000000\n");
}

TEST(SubprocessTest, OwnGroup) {
  Subprocess::Options options = Shell("cut -d' ' -f5 /proc/$$/stat");
  ASSERT_OK_AND_ASSIGN(const std::string own, Output(options));
  EXPECT_NE(std::stoi(own), getpgrp());
  options.own_group = false;
  ASSERT_OK_AND_ASSIGN(const std::string shared, Output(options));
  EXPECT_EQ(std::stoi(shared), getpgrp());
}

TEST(SubprocessTest, AChildOutlivesTheThreadThatStartedIt) {
  std::unique_ptr<Subprocess> child;
  std::thread([&] {
    absl::StatusOr<std::unique_ptr<Subprocess>> started = Subprocess::Start(Shell("exec sleep 1000"));
    ASSERT_OK(started);
    child = *std::move(started);
  }).join();
  EXPECT_THAT(child->Wait(Clock::Real()->Now() + absl::Milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded));
}

// A parent is killed; its child holds the other end of a pipe, which closes when the child too is gone.
TEST(SubprocessTest, AChildDiesWithItsParent) {
  const TempDir dir;
  const std::string fifo = JoinPath(dir.path(), "fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const pid_t parent = fork();
  if (parent == 0) {
    // Threads of the test do not exist here: this process forks by itself, as Start's thread would.
    execl("/proc/self/exe", "subprocess_test", "--as_parent", fifo.c_str(), nullptr);
    _exit(1);
  }
  const int reader = open(fifo.c_str(), O_RDONLY);  // waits until the grandchild has opened it
  char line[4];
  ASSERT_EQ(read(reader, line, 3), 3);
  kill(parent, SIGKILL);
  EXPECT_EQ(read(reader, line, 1), 0) << "end of file: the writer is dead";
  close(reader);
  waitpid(parent, nullptr, 0);
}

}  // namespace
}  // namespace mimeo

// `--as_parent FIFO`: starts a child that writes to FIFO and keeps it open, then waits to be killed.
int main(int argc, char** argv) {
  mimeo::BlockStopSignals();
  if (argc == 3 && std::string(argv[1]) == "--as_parent") {
    mimeo::Subprocess::Options options;
    options.argv = {"/bin/sh", "-c", "exec > \"$0\"; echo up; exec sleep 1000", argv[2]};
    const auto child = mimeo::Subprocess::Start(options);
    pause();
    return child.ok() ? 0 : 1;
  }
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
