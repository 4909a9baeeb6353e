// `mimeo run` where it ends before it trains: wrong requests, folders that cannot be written, binaries that do not run
// or die. Shell scripts stand in the binaries' place. tests/e2e has the runs that train.
#include "client/run/run_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "client/exit_code.h"
#include "client/testing/noted_processes.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kRecipe[] = R"(
data { global_batch: 8 image_px: 16 }
encoder { vit { patch_px: 8 width: 8 depth: 1 heads: 1 } }
objective { name: "pixels" reconstruction { decoder_width: 8 decoder_depth: 1 decoder_heads: 1 } }
schedule { steps: 2 }
)";

// Says that it serves at an address where nobody may listen, and lives until SIGTERM.
constexpr char kServesNobody[] = R"sh(
echo "$$" >> "$(dirname "$0")/pids"
for argument in "$@"; do
  case "$argument" in --announce=*) announcement="${argument#--announce=}" ;; esac
done
echo '{"address": "127.0.0.1:1"}' > "$announcement.new"
mv "$announcement.new" "$announcement"
exec tail -f /dev/null
)sh";

class RunCommandTest : public ::testing::Test {
 protected:
  RunCommandTest() {
    EXPECT_EQ(setenv("MIMEO_BIN_DIR", bin_.path().c_str(), 1), 0);
    flags_.recipe = dir_.path() + "/recipe";
    flags_.data = dir_.path();
    flags_.out = dir_.path() + "/out";
    EXPECT_OK(WriteFileAtomic(flags_.recipe, kRecipe));
    for (const char* name : {"coordinator", "worker"}) SetBinary(name, kServesNobody);
  }
  ~RunCommandTest() override { unsetenv("MIMEO_BIN_DIR"); }

  void SetBinary(const std::string& name, const std::string& script) {
    const std::string path = JoinPath(bin_.path(), name);
    ASSERT_OK(WriteFileAtomic(path, absl::StrCat("#!/bin/sh\n", script)));
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }

  // The exit code of the run; what it printed is in out_ and errors_.
  int Run() {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = RunCommandMain(flags_);
    errors_ = ::testing::internal::GetCapturedStderr();
    out_ = ::testing::internal::GetCapturedStdout();
    return code;
  }

  const TempDir bin_;
  const TempDir dir_;
  RunFlags flags_;
  std::string out_;
  std::string errors_;
};

TEST_F(RunCommandTest, EveryMistakeOfTheRequestHasALineAndNothingStarts) {
  flags_.data = "/nowhere/caf\xe9";
  flags_.sets = {"seed=many"};
  EXPECT_EQ(Run(), kWrongRequest);
  EXPECT_THAT(errors_,
              AllOf(HasSubstr("mimeo: "), HasSubstr("caf\\xe9"), HasSubstr("\nmimeo: "), HasSubstr("seed=many")));
  EXPECT_EQ(out_, "");
  EXPECT_FALSE(FileExists(flags_.out));
}

TEST_F(RunCommandTest, ABinaryThatIsNoProgramIsNamed) {
  ASSERT_OK(WriteFileAtomic(bin_.path() + "/coordinator", "no program"));
  ASSERT_EQ(chmod((bin_.path() + "/coordinator").c_str(), 0755), 0);
  EXPECT_EQ(Run(), kFailed);
  EXPECT_THAT(errors_, HasSubstr(absl::StrCat("mimeo: cannot run ", bin_.path(), "/coordinator: Exec format error")));
}

TEST_F(RunCommandTest, ACoordinatorThatDiesAtOnceIsNamedWithTheEndOfItsLogAsText) {
  SetBinary("coordinator", "printf 'caf\\351 \\033[2J\\nno space left\\n' >&2\nexit 3\n");
  EXPECT_EQ(Run(), kFailed);
  EXPECT_THAT(errors_, AllOf(HasSubstr("coordinator exited with code 3"), HasSubstr("/logs/coordinator.log"),
                             HasSubstr("caf\\xe9 \\x1b[2J\n"), HasSubstr("no space left\n")));
  EXPECT_THAT(errors_, Not(HasSubstr("\x1b")));
  EXPECT_THAT(out_, HasSubstr("1 worker")) << "what it is going to use";
  EXPECT_FALSE(FileExists(flags_.out + "/job.textproto")) << "the folder holds no job";
}

TEST_F(RunCommandTest, NobodyAtTheCoordinatorsAddressIsAFailureAndNothingIsLeft) {
  EXPECT_EQ(Run(), kFailed) << "the request was right";
  EXPECT_THAT(errors_, HasSubstr("mimeo: "));
  const std::vector<pid_t> processes = NotedProcesses(bin_.path() + "/pids");
  ExpectAllGone(processes);
  EXPECT_EQ(processes.size(), 2u);
}

TEST_F(RunCommandTest, AFolderThatCannotBeIsNamed) {
  for (const char* out : {"/proc/mimeo/out", "/dev/full/out"}) {
    flags_.out = out;
    EXPECT_NE(Run(), kDone);
    EXPECT_THAT(errors_, AllOf(HasSubstr("mimeo: "), HasSubstr(absl::StrCat(out).substr(0, 5)))) << out;
  }
}

// With a script that reads stdout, people read what happens on stderr.
TEST_F(RunCommandTest, WithJsonNothingButTheSummaryIsOnStdout) {
  flags_.json = true;
  SetBinary("worker", "exit 3\n");
  EXPECT_EQ(Run(), kFailed);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(errors_, AllOf(HasSubstr("1 worker"), HasSubstr("w0 exited with code 3")));
}

}  // namespace
}  // namespace mimeo
