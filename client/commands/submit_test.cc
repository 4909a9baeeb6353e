// submit and watch against a real coordinator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/commands/testing/command_line.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using testing::CommandLine;
using ::testing::HasSubstr;
using testing::Outcome;
using testing::SmallRecipe;

class SubmitTest : public ::testing::Test {
 protected:
  SubmitTest() { line_.StartCoordinator(); }

  nlohmann::json Spec(const std::string& job) {
    return nlohmann::json::parse(line_.Run({"show", job, "-o", "json"}).out)["spec"];
  }

  CommandLine line_{[](CLI::App* app, Invocation* invocation) {
    AddSubmit(app, invocation);
    AddJobVerbs(app, invocation);
  }};
};

TEST_F(SubmitTest, TheIdIsAllThatItPrints) {
  const std::string recipe = line_.File("recipe", SmallRecipe());
  const Outcome submitted = line_.Run({"submit", recipe});
  EXPECT_EQ(submitted.code, 0);
  EXPECT_EQ(submitted.out, "j1\n");
  EXPECT_EQ(submitted.errors, "");
  EXPECT_EQ(nlohmann::json::parse(line_.Run({"submit", recipe, "-o", "json"}).out)["job_id"], "j2");
}

TEST_F(SubmitTest, DataAndSetStandOverTheRecipe) {
  const Outcome submitted = line_.Run({"submit", line_.File("recipe", SmallRecipe()), "--data", "/others", "--set",
                                       "seed=7", "--set", "schedule.steps=20"});
  ASSERT_EQ(submitted.code, 0) << submitted.errors;
  const nlohmann::json spec = Spec("j1");
  EXPECT_EQ(spec["data"]["path"], "/others");
  EXPECT_EQ(spec["seed"], 7);
  EXPECT_EQ(spec["schedule"]["steps"], 20);
}

TEST_F(SubmitTest, AllMistakesAreNamedAtOnceAndNothingIsSubmitted) {
  const Outcome refused = line_.Run({"submit", line_.File("recipe", SmallRecipe()), "--set", "sed=7", "--set",
                                     "data.global_batch=-1", "--set", "encoder.vit.patch_px=7"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, AllOf(HasSubstr("sed"), HasSubstr("global_batch"), HasSubstr("patch_px")));
  EXPECT_EQ(nlohmann::json::parse(line_.Run({"list", "-o", "json"}).out)["jobs"].size(), 0u);
  EXPECT_EQ(line_.Run({"submit", "/nowhere/recipe"}).code, 2);
  EXPECT_EQ(line_.Run({"submit", line_.File("odd", "no recipe at all")}).code, 2);
}

TEST_F(SubmitTest, ARelativePathIsWarnedOfAndTaken) {
  const Outcome submitted = line_.Run({"submit", line_.File("recipe", SmallRecipe()), "--data", "photos"});
  EXPECT_EQ(submitted.code, 0);
  EXPECT_EQ(submitted.out, "j1\n");
  EXPECT_THAT(submitted.errors, AllOf(HasSubstr("data.path \"photos\""), HasSubstr("relative")));
}

TEST_F(SubmitTest, WatchEndsWithTheJobsVerdict) {
  ASSERT_EQ(line_.Run({"submit", line_.File("recipe", SmallRecipe())}).code, 0);
  ASSERT_EQ(line_.Run({"pause", "j1"}).code, 0);
  EXPECT_EQ(line_.Run({"watch", "j1"}).code, 0) << "a person paused it: no failure";
  ASSERT_EQ(line_.Run({"cancel", "j1"}).code, 0);
  const Outcome cancelled = line_.Run({"watch", "j1"});
  EXPECT_EQ(cancelled.code, 1);
  EXPECT_THAT(cancelled.errors, HasSubstr("cancelled"));
  const Outcome unknown = line_.Run({"watch", "j9"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("j9"));
}

TEST_F(SubmitTest, AsJsonAWatchedJobIsOneObjectAndItsBarIsOnStderr) {
  ASSERT_EQ(line_.Run({"submit", line_.File("recipe", SmallRecipe())}).code, 0);
  ASSERT_EQ(line_.Run({"cancel", "j1"}).code, 0);
  const Outcome watched = line_.Run({"watch", "j1", "-o", "json"});
  EXPECT_EQ(watched.code, 1);
  EXPECT_EQ(nlohmann::json::parse(watched.out)["state"], "JOB_STATE_CANCELLED");
}

TEST_F(SubmitTest, NobodyAtTheAddressIsACodeOfItsOwn) {
  line_.KillCoordinator();
  const Outcome outcome = line_.Run({"submit", line_.File("recipe", SmallRecipe())});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.errors, AllOf(HasSubstr("nobody answers"), HasSubstr("MIMEO_SERVER")));
}

}  // namespace
}  // namespace mimeo
