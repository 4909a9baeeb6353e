// The verbs of jobs: list, show, explain, metrics, cancel, pause and resume, against a real coordinator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Outcome;
using testing::SmallRecipe;
using ::testing::StartsWith;

class JobVerbsTest : public ::testing::Test {
 protected:
  JobVerbsTest() { line_.StartCoordinator(); }

  std::string Submit() {
    const Outcome submitted = line_.Run({"submit", line_.File("recipe", SmallRecipe())});
    EXPECT_EQ(submitted.code, 0) << submitted.errors;
    return std::string(absl::StripAsciiWhitespace(submitted.out));
  }
  // With its gang on the worker w0.
  std::string SubmitAndPlace() {
    const std::string job = Submit();
    line_.RegisterWorker("w0", 1);
    EXPECT_EQ(line_.Beat("w0").gangs_size(), 1);
    return job;
  }
  nlohmann::json Json(std::vector<std::string> args) {
    args.insert(args.end(), {"-o", "json"});
    const Outcome outcome = line_.Run(args);
    EXPECT_EQ(outcome.code, 0) << outcome.errors;
    return nlohmann::json::parse(outcome.out);
  }

  CommandLine line_{[](CLI::App* app, Invocation* invocation) {
    AddSubmit(app, invocation);
    AddJobVerbs(app, invocation);
    AddHistoryVerbs(app, invocation);
  }};
};

TEST_F(JobVerbsTest, AnEmptyListIsATableWithoutRowsAndAnEmptyArray) {
  const Outcome table = line_.Run({"list"});
  EXPECT_EQ(table.code, 0);
  EXPECT_THAT(table.out, StartsWith("JOB"));
  EXPECT_EQ(std::count(table.out.begin(), table.out.end(), '\n'), 1);
  EXPECT_EQ(Json({"list"})["jobs"].size(), 0u);
}

TEST_F(JobVerbsTest, TheNewestJobsAreListedFirstAndALimitSaysThatThereAreMore) {
  for (int i = 0; i < 3; ++i) Submit();
  const Outcome two = line_.Run({"list", "--limit", "2"});
  EXPECT_THAT(two.out, AllOf(HasSubstr("j3"), HasSubstr("j2"), Not(HasSubstr("j1"))));
  EXPECT_LT(two.out.find("j3"), two.out.find("j2"));
  EXPECT_THAT(two.errors, HasSubstr("there are more jobs"));
  const Outcome all = line_.Run({"list", "--limit", "0"});
  EXPECT_THAT(all.out, HasSubstr("j1"));
  EXPECT_EQ(all.errors, "");
}

TEST_F(JobVerbsTest, AListSaysWhoseAJobIsAndWhyItWaits) {
  Submit();
  const Outcome table = line_.Run({"list"});
  EXPECT_THAT(table.out,
              AllOf(HasSubstr("OWNER"), HasSubstr("\n    needs 1 slot on workers; no workers are heard of\n")));
  EXPECT_EQ(line_.Run({"list", "-o", "name"}).out, "j1\n");
  EXPECT_THAT(line_.Run({"list", "-o", "wide"}).out, AllOf(HasSubstr("REASON"), HasSubstr("needs 1 slot on workers")));
  const nlohmann::json job = Json({"list"})["jobs"][0];
  EXPECT_EQ(job["step"], 0) << "a number is a number";
  EXPECT_NE(job["owner"], "");
  EXPECT_FALSE(job.contains("spec"));
  EXPECT_EQ(Json({"list", "--specs"})["jobs"][0]["spec"]["schedule"]["steps"], 10);
}

TEST_F(JobVerbsTest, AListCanBeOfSomeStatesOrOfAName) {
  Submit();
  Submit();
  ASSERT_EQ(line_.Run({"pause", "j1"}).code, 0);
  EXPECT_EQ(line_.Run({"list", "--state", "paused", "failed", "-o", "name"}).out, "j1\n");
  EXPECT_EQ(line_.Run({"list", "--state", "pending", "-o", "name"}).out, "j2\n");
  EXPECT_EQ(line_.Run({"list", "--name", "nobody", "-o", "name"}).out, "");
  EXPECT_EQ(line_.Run({"list", "--name", Json({"show", "j1"})["name"], "-o", "name"}).out, "j2\nj1\n");
  EXPECT_EQ(line_.Run({"list", "--state", "asleep"}).code, 2);
}

TEST_F(JobVerbsTest, AJobIsFoundByItsNameWhereThatIsItsAlone) {
  const std::string recipe = line_.File("recipe", SmallRecipe());
  ASSERT_EQ(line_.Run({"submit", recipe, "--set", "name=mine"}).code, 0);
  EXPECT_EQ(Json({"show", "mine"})["id"], "j1");
  EXPECT_THAT(line_.Run({"pause", "mine"}).out, HasSubstr("j1: paused"));
  EXPECT_THAT(line_.Run({"events", "mine"}).out, HasSubstr("submitted it"));
  ASSERT_EQ(line_.Run({"submit", recipe, "--set", "name=mine"}).code, 0);
  const Outcome two = line_.Run({"show", "mine"});
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.errors, HasSubstr("2 jobs are called mine: j2 (pending), j1 (paused); say which by its id"));
  EXPECT_THAT(line_.Run({"show", "yours"}).errors, HasSubstr("no job has the id or the name \"yours\""));
}

TEST_F(JobVerbsTest, SeveralJobsInOneCallAndOneThatFailsKeepsNoOther) {
  Submit();
  Submit();
  const Outcome outcome = line_.Run({"pause", "j1", "j99", "j2"});
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("j1: paused"), HasSubstr("j2: paused")));
  EXPECT_THAT(outcome.errors, HasSubstr("j99"));
  EXPECT_THAT(line_.Run({"explain", "j1", "j2"}).out, HasSubstr("paused by a person"));
}

TEST_F(JobVerbsTest, APauseSaysWhatWillHappen) {
  const std::string job = SubmitAndPlace();
  EXPECT_THAT(line_.Run({"pause", job}).out, HasSubstr("j1 takes a checkpoint as soon as it can and frees 1 slot"));
  ASSERT_EQ(line_.Run({"resume", job}).code, 0);
  RankStatus rank;
  rank.set_job_id(job);
  rank.set_generation(1);
  rank.set_phase(RANK_PHASE_TRAINING);
  rank.set_step(3);
  rank.set_dataset_digest(std::string(64, 'a'));
  rank.set_total_steps(10);
  line_.Beat("w0", {rank});
  EXPECT_EQ(line_.Run({"pause", job}).out, "j1 takes a checkpoint at the end of step 4 and frees 1 slot\n");
}

TEST_F(JobVerbsTest, EventsTellWhatHappenedAndWhatIsNow) {
  const std::string job = SubmitAndPlace();
  ASSERT_EQ(line_.Run({"cancel", job}).code, 0);
  line_.Beat("w0");
  const Outcome told = line_.Run({"events", job, "--follow"});
  EXPECT_EQ(told.code, 0) << told.errors;
  EXPECT_THAT(told.out,
              AllOf(HasSubstr("generation 1 placed on w0; it starts from the beginning\n"), HasSubstr("cancelled it")));
  const nlohmann::json events = Json({"events", job});
  EXPECT_EQ(events["entries"][0]["kind"], "HISTORY_KIND_SUBMITTED");
  EXPECT_EQ(events["entries"][0]["number"], 1);
  EXPECT_EQ(events["now"], "a person cancelled it");
}

TEST_F(JobVerbsTest, LogsOfAWorkerThatSaysNothingAreRefusedInWords) {
  Submit();
  EXPECT_THAT(line_.Run({"logs", "j1"}).errors, HasSubstr("j1 has not run yet"));
  line_.RegisterWorker("w0", 1);
  line_.Beat("w0");
  const Outcome never = line_.Run({"logs", "j1", "--generation", "7"});
  EXPECT_EQ(never.code, 2);
  EXPECT_THAT(never.errors, HasSubstr("j1 never had a generation 7; its newest is 1"));
  EXPECT_THAT(line_.Run({"logs", "j1", "--rank", "3"}).errors, HasSubstr("has no rank 3: its ranks are 0 to 0"));
  const Outcome silent = line_.Run({"logs", "j1"});  // nobody beats for it any more
  EXPECT_EQ(silent.code, 1);
  EXPECT_THAT(silent.errors, HasSubstr("the log is on w0, which has not been heard for"));
}

TEST_F(JobVerbsTest, ShowHasTheResolvedRecipeAsTextAndAsJson) {
  const std::string job = Submit();
  EXPECT_THAT(line_.Run({"show", job}).out, AllOf(HasSubstr("pending"), HasSubstr("mlp_ratio: 4")));
  const nlohmann::json shown = Json({"show", job});
  EXPECT_EQ(shown["id"], job);
  EXPECT_EQ(shown["state"], "JOB_STATE_PENDING");
}

TEST_F(JobVerbsTest, ExplainNamesWhatIsMissingAndThenWhatTheRanksDo) {
  const std::string job = Submit();
  EXPECT_THAT(line_.Run({"explain", job}).out, HasSubstr("needs 1 slot"));
  line_.RegisterWorker("w0", 1);
  RankStatus rank;
  rank.set_job_id(job);
  rank.set_generation(1);
  rank.set_phase(RANK_PHASE_STARTING);
  rank.set_doing("lists images (12 so far)");
  rank.mutable_quiet()->set_seconds(30);
  line_.Beat("w0", {rank});
  EXPECT_THAT(line_.Run({"explain", job}).out, AllOf(HasSubstr("w0"), HasSubstr("lists images (12 so far)")));
  EXPECT_GT(Json({"explain", job})["reasons"].size(), 0u);
}

TEST_F(JobVerbsTest, MetricsAreARowOrALineOfJsonForEachStep) {
  const std::string job = SubmitAndPlace();
  line_.ReportSteps(job, 3);
  const Outcome table = line_.Run({"metrics", job});
  EXPECT_THAT(table.out, AllOf(HasSubstr("GRADNORM"), HasSubstr("0.33333")));
  const std::vector<std::string> lines =
      absl::StrSplit(line_.Run({"metrics", job, "-o", "json"}).out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["step"], 2);
  EXPECT_EQ(nlohmann::json::parse(lines[1])["loss"], 0.5);
}

TEST_F(JobVerbsTest, FollowedMetricsEndWithTheJob) {
  const std::string job = SubmitAndPlace();
  line_.ReportSteps(job, 1);
  EXPECT_EQ(line_.Run({"cancel", job}).code, 0);
  line_.Beat("w0");  // its ranks are gone
  const Outcome followed = line_.Run({"metrics", job, "--follow"});
  EXPECT_EQ(followed.code, 0) << followed.errors;
  EXPECT_THAT(followed.out, HasSubstr("1.00000"));
}

TEST_F(JobVerbsTest, AJobIsPausedResumedAndCancelled) {
  const std::string job = Submit();
  EXPECT_THAT(line_.Run({"pause", job}).out, HasSubstr(absl::StrCat(job, ": paused")));
  EXPECT_THAT(line_.Run({"resume", job}).out, HasSubstr(absl::StrCat(job, ": pending")));
  EXPECT_EQ(Json({"cancel", job})["state"], "JOB_STATE_CANCELLED");
  const Outcome again = line_.Run({"resume", job});
  EXPECT_EQ(again.code, 2);
  EXPECT_THAT(again.errors, HasSubstr("cancelled"));
}

TEST_F(JobVerbsTest, WhatIsNotThereIsTheRequestsMistake) {
  for (const char* verb : {"show", "explain", "metrics", "cancel", "pause", "resume"}) {
    const Outcome outcome = line_.Run({verb, "j99"});
    EXPECT_EQ(outcome.code, 2) << verb;
    EXPECT_THAT(outcome.errors, AllOf(StartsWith("mimeo: "), HasSubstr("j99"))) << verb;
    EXPECT_EQ(line_.Run({verb}).code, 2) << verb << " without a job";
  }
  EXPECT_EQ(line_.Run({"list", "--limit", "-1"}).code, 2);
  EXPECT_EQ(line_.Run({"show", "j\xff"}).code, 2) << "bytes that are no text never reach the coordinator";
}

TEST_F(JobVerbsTest, NobodyAtTheAddressIsACodeOfItsOwn) {
  line_.KillCoordinator();
  for (const char* verb : {"show", "explain", "metrics", "cancel"}) {
    const Outcome outcome = line_.Run({verb, "j1"});
    EXPECT_EQ(outcome.code, 3) << verb;
    EXPECT_THAT(outcome.errors, HasSubstr(line_.address())) << verb;
  }
  EXPECT_EQ(line_.Run({"list"}).code, 3);
}

}  // namespace
}  // namespace mimeo
