// The verbs that call the worker binary, with a shell script in its place that says how it was called: what counts here
// is the command line, the output and the exit code. tests/e2e has the real one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::SmallRecipe;

class ToolVerbsTest : public ::testing::Test {
 protected:
  ToolVerbsTest() { SetWorker("for argument in \"$@\"; do echo \"[$argument]\"; done"); }
  ~ToolVerbsTest() override { unsetenv("MIMEO_BIN_DIR"); }

  // What `worker` does from now on.
  void SetWorker(const std::string& script) {
    const std::string path = line_.File("worker", absl::StrCat("#!/bin/sh\n", script, "\n"));
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    ASSERT_EQ(setenv("MIMEO_BIN_DIR", line_.dir().c_str(), 1), 0);
  }

  CommandLine line_{[](CLI::App* app, Invocation* invocation) {
    AddSubmit(app, invocation);
    AddToolVerbs(app, invocation);
  }};
};

TEST_F(ToolVerbsTest, FlagsThatWereGivenReachTheWorkerAndOthersDoNot) {
  EXPECT_EQ(line_.Run({"embed", "--weights", "w", "--images", "photos", "--out", "f", "--tokens"}).out,
            "[embed]\n[--images]\n[photos]\n[--out]\n[f]\n[--weights]\n[w]\n[--tokens]\n");
  EXPECT_EQ(line_.Run({"reconstruct", "--weights", "w", "--images", "a b", "--out", "o", "--count", "3"}).out,
            "[reconstruct]\n[--count]\n[3]\n[--images]\n[a b]\n[--out]\n[o]\n[--weights]\n[w]\n");
  EXPECT_EQ(line_.Run({"evaluate", "knn", "--weights", "w", "--data", "d", "--k", "20", "-o", "json"}).out,
            "[knn]\n[--data]\n[d]\n[--k]\n[20]\n[--weights]\n[w]\n");
  EXPECT_EQ(line_.Run({"evaluate", "linear", "--weights", "w", "--data", "d", "--bank", "b", "-o", "json"}).out,
            "[linear]\n[--bank]\n[b]\n[--data]\n[d]\n[--weights]\n[w]\n");
  EXPECT_EQ(line_
                .Run({"evaluate", "compare", "--weights", "w", "--data", "d", "--against", "a=b", "--against", "c=d",
                      "-o", "json"})
                .out,
            "[compare]\n[--data]\n[d]\n[--weights]\n[w]\n[--against]\n[a=b]\n[--against]\n[c=d]\n");
}

TEST_F(ToolVerbsTest, AnEvaluationIsTablesAndWithJsonWhatTheWorkerSaid) {
  SetWorker("echo progress >&2; echo '{\"knn_accuracy\": 0.5, \"images\": 8, \"bank_images\": 60}'");
  const std::vector<std::string> knn = {"evaluate", "knn", "--weights", "w", "--data", "d"};
  const Outcome table = line_.Run(knn);
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.out, HasSubstr("8 images judged by 60 images of the bank\n"));
  EXPECT_THAT(table.out, HasSubstr("encoder, mean patch token  0.500"));
  EXPECT_THAT(table.errors, HasSubstr("progress"));
  std::vector<std::string> json = knn;
  json.insert(json.end(), {"-o", "json"});
  EXPECT_EQ(line_.Run(json).out, "{\"knn_accuracy\": 0.5, \"images\": 8, \"bank_images\": 60}\n");
  SetWorker("echo '{\"knn_accuracy\": 0.5'; exit 2");
  const Outcome refused = line_.Run(knn);
  EXPECT_EQ(refused.code, 2);
  EXPECT_EQ(refused.out, "") << "no half of an answer";
  SetWorker("echo nothing");
  const Outcome odd = line_.Run(knn);
  EXPECT_EQ(odd.code, 1);
  EXPECT_THAT(odd.errors, HasSubstr("worker knn printed no JSON object but: nothing"));
}

TEST_F(ToolVerbsTest, WhatIsMissingIsSaidBeforeAnythingStarts) {
  const Outcome outcome = line_.Run({"embed", "--weights", "w", "--out", "f"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("--images"));
  EXPECT_EQ(line_.Run({"evaluate"}).code, 2);
  EXPECT_EQ(line_.Run({"export", "x", "--to", "tensorflow", "--out", "o"}).code, 2);
  EXPECT_EQ(line_.Run({"export", "x", "--out", "o", "--step", "0"}).code, 2);
}

TEST_F(ToolVerbsTest, TheWorkersExitCodeAndItsWordsArePassedOn) {
  SetWorker("echo no such weights >&2; exit 2");
  const Outcome refused = line_.Run({"embed", "--weights", "w", "--images", "i", "--out", "f"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("no such weights"));
}

TEST_F(ToolVerbsTest, AWorkerThatIsKilledIsSpokenOf) {
  SetWorker("kill -9 $$");
  const Outcome killed = line_.Run({"embed", "--weights", "w", "--images", "i", "--out", "f"});
  EXPECT_EQ(killed.code, 1);
  EXPECT_THAT(killed.errors, HasSubstr("worker embed was killed by SIGKILL (9): out of memory?"));
}

// Before the coordinator is asked: nobody answers at its address.
TEST_F(ToolVerbsTest, WhereAnExportCannotBeWrittenIsSaidBeforeTheDownload) {
  const Outcome folder = line_.Run({"export", "j1", "--out", "/proc/encoder"});
  EXPECT_EQ(folder.code, 2);
  EXPECT_THAT(folder.errors, HasSubstr("--out /proc/encoder: cannot be written"));
  const Outcome file = line_.Run({"export", "j1", "--to", "safetensors", "--out", line_.dir() + "/none/model"});
  EXPECT_EQ(file.code, 2);
  EXPECT_THAT(file.errors, HasSubstr("there is no folder"));
}

TEST_F(ToolVerbsTest, ATemporaryFolderThatIsNotThereIsSaid) {
  const char* const before = getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  setenv("TMPDIR", "/nowhere/at/all", 1);
  const Outcome outcome = line_.Run({"export", "j1", "--out", line_.dir() + "/encoder"});
  setenv("TMPDIR", kept.c_str(), 1);
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("TMPDIR /nowhere/at/all: there is no such folder"));
}

TEST_F(ToolVerbsTest, BytesOfTheWorkerThatAreNoTextAreWrittenOut) {
  SetWorker("printf 'caf\\351\\n'");
  EXPECT_EQ(line_.Run({"embed", "--weights", "w", "--images", "i", "--out", "f"}).out, "caf\\xe9\n");
}

TEST_F(ToolVerbsTest, AFileIsExportedWithoutACoordinator) {
  const std::string file = line_.File("model.safetensors", "bytes");
  const Outcome exported = line_.Run({"export", file, "--to", "timm", "--out", "o", "--dtype", "bf16", "--average"});
  EXPECT_EQ(exported.code, 0) << exported.errors;
  EXPECT_EQ(exported.out, absl::StrCat("[export]\n[--checkpoint]\n[", file,
                                       "]\n[--to]\n[timm]\n[--out]\n[o]\n[--dtype]\n[bf16]\n[--average]\n"));
  const Outcome step = line_.Run({"export", file, "--step", "5", "--out", "o"});
  EXPECT_EQ(step.code, 2);
  EXPECT_THAT(step.errors, AllOf(HasSubstr("--step 5"), HasSubstr("is a file")));
}

TEST_F(ToolVerbsTest, AJobsCheckpointIsDownloadedAndExported) {
  unsetenv("MIMEO_BIN_DIR");
  line_.StartCoordinator();
  SetWorker("cat \"$3\"");
  ASSERT_EQ(line_.Run({"submit", line_.File("recipe", SmallRecipe())}).code, 0);
  line_.RegisterWorker("w0", 1);
  EXPECT_EQ(line_.Beat("w0").gangs_size(), 1);
  line_.CommitCheckpoint("j1", 2, "of step two");
  line_.CommitCheckpoint("j1", 4, "of step four");
  EXPECT_EQ(line_.Run({"export", "j1", "--out", "o"}).out, "of step four");
  EXPECT_EQ(line_.Run({"export", "j1", "--out", "o", "--step", "2"}).out, "of step two");
  const Outcome unknown = line_.Run({"export", "j9", "--out", "o"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("neither a file nor a job with a checkpoint"));
}

TEST_F(ToolVerbsTest, WhoIsNeitherFileNorTextIsRefusedWithoutACall) {
  const Outcome odd = line_.Run({"export", "j\xe9", "--out", "o"});
  EXPECT_EQ(odd.code, 2);
  EXPECT_THAT(odd.errors, HasSubstr("j\\xe9"));
  EXPECT_EQ(line_.Run({"export", "j1", "--out", "o"}).code, 3) << "nobody answers";
}

}  // namespace
}  // namespace mimeo
