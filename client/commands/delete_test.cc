// `mimeo delete` as a script uses it, against a real coordinator. tests/e2e/delete_test.cc has the person at a
// terminal, and a job that really trained.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/ascii.h"
#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::SmallRecipe;

class DeleteVerbTest : public ::testing::Test {
 protected:
  DeleteVerbTest() { line_.StartCoordinator(); }

  std::string Submit() {
    const Outcome submitted = line_.Run({"submit", line_.File("recipe", SmallRecipe())});
    EXPECT_EQ(submitted.code, 0) << submitted.errors;
    return std::string(absl::StripAsciiWhitespace(submitted.out));
  }
  // It runs on the worker w0, and has a checkpoint of 15 bytes.
  std::string SubmitAndRun() {
    const std::string job = Submit();
    line_.RegisterWorker("w0", 1);
    EXPECT_EQ(line_.Beat("w0").gangs_size(), 1);
    line_.CommitCheckpoint(job, 2, "the second step");
    return job;
  }
  void End(const std::string& job) {
    EXPECT_EQ(line_.Run({"cancel", job}).code, 0);
    line_.Beat("w0");  // its ranks are gone
  }
  bool IsThere(const std::string& job) { return line_.Run({"show", job}).code == 0; }

  CommandLine line_{[](CLI::App* app, Invocation* invocation) {
    AddSubmit(app, invocation);
    AddJobVerbs(app, invocation);
    AddDelete(app, invocation);
  }};
};

TEST_F(DeleteVerbTest, AJobThatHasEndedGoesWithItsBytes) {
  const std::string job = SubmitAndRun();
  End(job);
  const Outcome deleted = line_.Run({"delete", job});
  EXPECT_EQ(deleted.code, 0) << deleted.errors;
  EXPECT_EQ(deleted.out, "j1: deleted, with 15 bytes of checkpoints\n");
  EXPECT_EQ(deleted.errors, "");
  EXPECT_FALSE(IsThere(job));
  const Outcome again = line_.Run({"delete", job, "--yes"});
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.errors, AllOf(HasSubstr("mimeo: "), HasSubstr("j1")));
  EXPECT_EQ(again.out, "");
}

TEST_F(DeleteVerbTest, WithJsonItIsOneObjectForEachJob) {
  const std::string job = SubmitAndRun();
  End(job);
  const Outcome deleted = line_.Run({"delete", job, "-o", "json"});
  EXPECT_EQ(deleted.code, 0) << deleted.errors;
  EXPECT_EQ(deleted.out, "{\"job_id\":\"j1\",\"checkpoint_bytes\":15}\n");
}

TEST_F(DeleteVerbTest, AJobThatRunsOrWaitsIsRefusedAndStays) {
  const std::string runs = SubmitAndRun(), waits = Submit();
  for (const std::string& job : {runs, waits}) {
    const Outcome refused = line_.Run({"delete", job, "-o", "json"});
    EXPECT_EQ(refused.code, 2);
    EXPECT_EQ(refused.out, "") << "no half of an answer";
    EXPECT_THAT(refused.errors, AllOf(HasSubstr(job), HasSubstr("only a job that has ended")));
    EXPECT_TRUE(IsThere(job));
  }
}

TEST_F(DeleteVerbTest, OneThatCannotBeDeletedKeepsNoOtherAndItsCodeIsTheCommands) {
  const std::string first = SubmitAndRun(), second = Submit();
  End(first);
  EXPECT_EQ(line_.Run({"cancel", second}).code, 0);
  const Outcome deleted = line_.Run({"delete", first, "j99", second});
  EXPECT_EQ(deleted.code, 2);
  EXPECT_EQ(deleted.out, "j1: deleted, with 15 bytes of checkpoints\nj2: deleted, with 0 bytes of checkpoints\n");
  EXPECT_THAT(deleted.errors, HasSubstr("j99"));
}

TEST_F(DeleteVerbTest, WhatIsNoJobsNameNeverReachesTheCoordinator) {
  EXPECT_EQ(line_.Run({"delete"}).code, 2);
  EXPECT_THAT(line_.Run({"delete", "j\x1b[2J"}).errors, HasSubstr("control character"));
  EXPECT_THAT(line_.Run({"delete", "j1", "caf\xe9"}).errors, HasSubstr("not UTF-8"));
  EXPECT_EQ(line_.Run({"delete", ""}).code, 2);
}

TEST_F(DeleteVerbTest, NobodyAtTheAddressIsACodeOfItsOwn) {
  line_.KillCoordinator();
  const Outcome silent = line_.Run({"delete", "j1", "j2"});
  EXPECT_EQ(silent.code, 3);
  EXPECT_THAT(silent.errors, HasSubstr(line_.address()));
}

}  // namespace
}  // namespace mimeo
