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
