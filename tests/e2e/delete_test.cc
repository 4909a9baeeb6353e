// `mimeo delete` as a person and a script use it, against a real coordinator and worker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/find_binary.h"
#include "tests/e2e/cluster.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class DeleteTest : public ::testing::Test {
 protected:
  DeleteTest() { cluster_.StartCoordinator(); }

  // A job that has ended, without ever having run.
  std::string CancelledJob() {
    const std::string job = cluster_.Submit(TinyJob(1, 5));
    cluster_.Mimeo({"cancel", job});
    return job;
  }

  // Runs `mimeo delete JOB` at a terminal at which a person types `answer`. What the terminal shows, and the exit code.
  std::pair<std::string, int> DeleteAtTerminal(const std::string& job, const std::string& answer) {
    int controller = -1, terminal = -1;
    char name[64];
    EXPECT_EQ(openpty(&controller, &terminal, name, nullptr, nullptr), 0);
    EXPECT_EQ(write(controller, answer.data(), answer.size()), static_cast<ssize_t>(answer.size()));
    Subprocess::Options options;
    options.argv = {"/bin/sh", "-c", absl::StrCat("exec \"$0\" \"$@\" < ", name), FindBinary("mimeo").value(),
                    "delete",  job};
    options.extra_env = {"MIMEO_SERVER=" + cluster_.address("coordinator")};
    options.output_path = name;
    const auto child = Subprocess::Start(options);
    EXPECT_TRUE(child.ok()) << child.status();
    close(terminal);
    std::string said;
    char piece[4096];
    for (ssize_t got; (got = read(controller, piece, sizeof(piece))) > 0;) {
      said.append(piece, static_cast<size_t>(got));  // EIO: it has ended
    }
    close(controller);
    const auto ended = (*child)->Wait(Clock::Real()->Now() + absl::Minutes(1));
    EXPECT_TRUE(ended.ok()) << ended.status();
    return {said, ended->code};
  }

  LocalCluster cluster_;
};

TEST_F(DeleteTest, AJobThatRanGoesWithItsCheckpointsAndDoesNotComeBack) {
  cluster_.StartWorker("w0");
  const std::string job = cluster_.Submit(TinyJob(1, 5));
  EXPECT_EQ(job, "j1");
  cluster_.Mimeo({"delete", job}, 2);  // it has not ended
  cluster_.AwaitSuccess(job);
  const nlohmann::json deleted = nlohmann::json::parse(cluster_.Mimeo({"delete", job, "-o", "json"}));
  EXPECT_EQ(deleted["job_id"], job);
  EXPECT_GT(deleted["checkpoint_bytes"].get<int64_t>(), 1000);
  for (const char* verb : {"show", "explain", "metrics", "checkpoints", "watch", "cancel"})
    cluster_.Mimeo({verb, job}, 2);
  cluster_.Kill("coordinator");
  cluster_.StartCoordinator();
  cluster_.Mimeo({"show", job}, 2);
  EXPECT_THAT(cluster_.Mimeo({"list"}), Not(HasSubstr("j1")));
  EXPECT_EQ(cluster_.Submit(TinyJob(1, 5)), "j2");
}

TEST_F(DeleteTest, SeveralInOneCallEachOnItsOwn) {
  const std::string first = CancelledJob(), second = CancelledJob(), waits = cluster_.Submit(TinyJob(1, 5));
  const std::string said = cluster_.Mimeo({"delete", first, "j99", waits, second, "-o", "json"}, 2);
  const std::vector<std::string> lines = absl::StrSplit(absl::StripAsciiWhitespace(said), '\n');
  EXPECT_THAT(lines, ::testing::SizeIs(2));
  const std::string list = cluster_.Mimeo({"list"});
  EXPECT_THAT(list, Not(HasSubstr(first)));
  EXPECT_THAT(list, HasSubstr(waits));
  EXPECT_THAT(list, Not(HasSubstr(second)));
  cluster_.Mimeo({"delete"}, 2);
}

TEST_F(DeleteTest, APersonAtATerminalIsAsked) {
  const std::string job = CancelledJob();
  const auto [refused, failed] = DeleteAtTerminal(job, "n\n");
  EXPECT_THAT(refused, HasSubstr("Delete j1 with all checkpoints and metrics?"));
  EXPECT_THAT(refused, HasSubstr("nothing was deleted"));
  EXPECT_EQ(failed, 1);
  cluster_.Mimeo({"show", job});
  const auto [agreed, done] = DeleteAtTerminal(job, "yes\n");
  EXPECT_THAT(agreed, HasSubstr("j1: deleted"));
  EXPECT_EQ(done, 0);
  cluster_.Mimeo({"show", job}, 2);
}

}  // namespace
}  // namespace mimeo
