// The processes of a run, with shell scripts in the place of the binaries: who is started with which flags, who is
// named when one does not start or ends, and that nothing is left. tests/e2e/run_test.cc has the real ones.
#include "client/run/run_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "client/testing/noted_processes.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::StatusIs;

// Writes down how it was called, announces an address, and lives until SIGTERM.
constexpr char kServes[] = R"sh(#!/bin/sh
echo "called $*"
echo "$$" >> "$(dirname "$0")/pids"
for argument in "$@"; do
  case "$argument" in --announce=*) announcement="${argument#--announce=}" ;; esac
done
echo '{"address": "127.0.0.1:4242"}' > "$announcement.new"
mv "$announcement.new" "$announcement"
exec tail -f /dev/null
)sh";

class RunClusterTest : public ::testing::Test {
 protected:
  RunClusterTest() {
    for (const char* name : {"coordinator", "worker", "teacher_server"}) SetBinary(name, kServes);
    EXPECT_EQ(setenv("MIMEO_BIN_DIR", bin_.path().c_str(), 1), 0);
    options_.dir = dir_.path();
    options_.shares = ShareCores(4, 2, 1);
    options_.teachers = {{"clip", "/weights"}};
  }
  ~RunClusterTest() override { unsetenv("MIMEO_BIN_DIR"); }

  void SetBinary(const std::string& name, const std::string& script) {
    const std::string path = JoinPath(bin_.path(), name);
    ASSERT_OK(WriteFileAtomic(path, script));
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }
  std::string Log(const std::string& name) const {
    return ReadFile(absl::StrCat(dir_.path(), "/logs/", name, ".log")).value_or("");
  }
  std::vector<pid_t> Pids() const { return NotedProcesses(bin_.path() + "/pids"); }
  // No process of this test is left.
  void ExpectAllGone() const { mimeo::ExpectAllGone(Pids()); }

  const TempDir bin_;
  const TempDir dir_;
  RunClusterOptions options_;
};

TEST_F(RunClusterTest, EverybodyIsToldWhereTheCoordinatorIs) {
  ASSERT_OK_AND_ASSIGN(const auto cluster, RunCluster::Start(options_));
  EXPECT_EQ(cluster->address(), "127.0.0.1:4242");
  EXPECT_OK(cluster->CheckAlive());
  EXPECT_EQ(Pids().size(), 4u);
  EXPECT_THAT(Log("coordinator"), HasSubstr(absl::StrCat("--data_dir=", dir_.path(), "/cluster/coordinator")));
  EXPECT_THAT(Log("teacher-clip"), AllOf(HasSubstr("--name=clip"), HasSubstr("--weights=/weights"),
                                         HasSubstr("--coordinator=127.0.0.1:4242"), HasSubstr("--threads=2")));
  EXPECT_THAT(Log("w1"), AllOf(HasSubstr("agent"), HasSubstr("--id=w1"), HasSubstr("--slots=1"),
                               HasSubstr("--coordinator=127.0.0.1:4242")));
}

TEST_F(RunClusterTest, WhoDoesNotStartIsNamedWithItsLogAndNothingIsLeft) {
  SetBinary("worker", "#!/bin/sh\necho no such device >&2\nexit 3\n");
  const auto cluster = RunCluster::Start(options_);
  EXPECT_THAT(cluster, StatusIs(absl::StatusCode::kInternal, AllOf(HasSubstr("w0"), HasSubstr("| no such device"))));
  EXPECT_EQ(Pids().size(), 2u) << "the coordinator and the teacher had started";
  ExpectAllGone();
}

TEST_F(RunClusterTest, AStopEndsTheStartAndNothingIsLeft) {
  SetBinary("worker", "#!/bin/sh\necho \"$$\" >> \"$(dirname \"$0\")/pids\"\nexec tail -f /dev/null\n");
  options_.stop_wanted = [this] { return Pids().size() == 3; };
  EXPECT_THAT(RunCluster::Start(options_), StatusIs(absl::StatusCode::kCancelled, HasSubstr("stopped")));
  EXPECT_EQ(Pids().size(), 3u);
  ExpectAllGone();
}

TEST_F(RunClusterTest, WhoDiesIsNamed) {
  ASSERT_OK_AND_ASSIGN(const auto cluster, RunCluster::Start(options_));
  ASSERT_EQ(kill(Pids()[1], SIGKILL), 0);
  absl::Status alive = cluster->CheckAlive();
  while (alive.ok()) alive = cluster->CheckAlive();
  EXPECT_THAT(alive, StatusIs(absl::StatusCode::kInternal, AllOf(HasSubstr("teacher-clip"), HasSubstr("| called"))));
}

TEST_F(RunClusterTest, StopEndsAllOfThem) {
  ASSERT_OK_AND_ASSIGN(const auto cluster, RunCluster::Start(options_));
  cluster->Stop();
  ASSERT_EQ(Pids().size(), 4u);
  ExpectAllGone();
}

TEST_F(RunClusterTest, KillEndsAllOfThemAtOnce) {
  SetBinary("worker", absl::StrCat("#!/bin/sh\ntrap '' TERM\n", absl::string_view(kServes).substr(10)));
  ASSERT_OK_AND_ASSIGN(const auto cluster, RunCluster::Start(options_));
  const absl::Time began = Clock::Real()->Now();
  cluster->Kill();
  EXPECT_LT(Clock::Real()->Now() - began, absl::Seconds(5)) << "to stop them would take ten seconds each";
  ASSERT_EQ(Pids().size(), 4u);
  ExpectAllGone();
}

TEST(ShareCoresTest, RanksGetTheCoresEvenlyAndOneAtLeast) {
  EXPECT_EQ(ShareCores(8, 2, 0).threads_per_rank, 4);
  EXPECT_EQ(ShareCores(5, 2, 0).threads_per_rank, 2);
  EXPECT_EQ(ShareCores(2, 4, 0).threads_per_rank, 1);
  EXPECT_EQ(ShareCores(0, 0, 0).threads_per_rank, 1);
  EXPECT_EQ(ShareCores(8, 2, 1).threads_per_teacher, 4);
}

TEST(ShareCoresTest, SaysSoInWords) {
  EXPECT_EQ(ShareCores(2, 2, 1).ToString(), "2 cores: 2 workers with 1 thread each, 1 teacher with 1 thread");
  EXPECT_EQ(ShareCores(4, 1, 0).ToString(), "4 cores: 1 worker with 4 threads");
  EXPECT_EQ(ShareCores(1, 1, 2).ToString(), "1 core: 1 worker with 1 thread, 2 teachers with 1 thread");
}

}  // namespace
}  // namespace mimeo
