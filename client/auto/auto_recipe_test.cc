// What is decided before anything trains. A shell script stands in the worker's place and answers for the survey;
// tests/e2e has the runs that train.
#include "client/auto/auto_recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/process.h"
#include "client/testing/noted_processes.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AutoRecipeTest : public ::testing::Test {
 protected:
  AutoRecipeTest() {
    BlockStopSignals();  // before the thread that starts children, which else takes them
    EXPECT_EQ(setenv("MIMEO_BIN_DIR", bin_.path().c_str(), 1), 0);
    flags_.data = dir_.path();
    flags_.out = dir_.path() + "/out";
    flags_.json = true;  // what it says goes to stderr
  }
  ~AutoRecipeTest() override { unsetenv("MIMEO_BIN_DIR"); }

  void SetWorker(const std::string& script) {
    const std::string path = JoinPath(bin_.path(), "worker");
    ASSERT_TRUE(WriteFileAtomic(path, absl::StrCat("#!/bin/sh\n", script)).ok());
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
  }

  std::string Refusal(absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    const auto flags = WithRecipe(flags_);
    EXPECT_EQ(flags.status().code(), code) << flags.status();
    return std::string(flags.status().message());
  }

  // A recipe that an earlier call chose for these photos.
  void WriteRecipe(const std::string& more = "") {
    ASSERT_TRUE(MakeDirs(flags_.out).ok());
    ASSERT_TRUE(
        WriteFileAtomic(flags_.out + "/recipe.textproto", absl::StrCat("data { path: \"", dir_.path(), "\" }\n", more))
            .ok());
  }

  const TempDir bin_;
  const TempDir dir_;
  RunFlags flags_;
};

TEST_F(AutoRecipeTest, WithARecipeNothingIsChosen) {
  flags_.recipe = "recipe.textproto";
  flags_.evaluation.hold_out = 0.2;
  const auto flags = WithRecipe(flags_);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->recipe, "recipe.textproto");
  EXPECT_EQ(flags->data, flags_.data);
}

TEST_F(AutoRecipeTest, FlagsOfTheOtherWayAreRefusedAllAtOnce) {
  flags_.recipe = "recipe.textproto";
  flags_.minutes = 5;
  flags_.from = flags_.distill = "weights";
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--minutes goes with --data alone"), HasSubstr("use --init"),
                               HasSubstr("use --teacher NAME=WEIGHTS")));
  flags_ = RunFlags();
  flags_.out = "out";
  flags_.init = "weights";
  flags_.teachers = {"clip=weights"};
  EXPECT_THAT(Refusal(),
              AllOf(HasSubstr("give a RECIPE, or --data PHOTOS"), HasSubstr("use --from"), HasSubstr("use --distill")));
}

TEST_F(AutoRecipeTest, APathThatIsNotThereIsNamedBeforeAnythingStarts) {
  flags_.data = "/nowhere/photos";
  EXPECT_THAT(Refusal(), HasSubstr("--data: /nowhere/photos does not exist"));
  flags_.data = dir_.path();
  flags_.distill = "/nowhere/weights";
  EXPECT_THAT(Refusal(), HasSubstr("--distill: /nowhere/weights does not exist"));
  EXPECT_FALSE(FileExists(flags_.out));
}

TEST_F(AutoRecipeTest, TwelvePhotosAreRefusedAndNothingIsLeft) {
  SetWorker(R"(echo '{"path": "x", "kind": "folder", "images": 12, "labelled": 0}')");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr(dir_.path()), HasSubstr("12 photos; at least 50 are needed")));
  EXPECT_FALSE(FileExists(flags_.out));
}

TEST_F(AutoRecipeTest, WhatTheSurveyRefusesIsSaidWithTheFlag) {
  SetWorker("echo 'there is no image' >&2; exit 2");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--data "), HasSubstr("there is no image")));
  flags_.from = dir_.path();
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--from "), HasSubstr("there is no image")));
}

TEST_F(AutoRecipeTest, APathThatIsNoTextIsRefusedBeforeAnythingIsLookedAt) {
  SetWorker("echo 'the survey was asked' >&2; exit 1");
  flags_.data = bin_.path() + "/caf\xe9";
  ASSERT_TRUE(MakeDirs(flags_.data).ok());
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--data: \""), HasSubstr("caf\\xe9\" is not UTF-8")));
}

// Sixty photos of two classes, of which as many are held out as the script of a worker says.
constexpr char kSurvey[] = R"({"path": "x", "kind": "class folders", "images": 60, "labelled": 60,
  "classes": [{"name": "hat", "images": 40}, {"name": "shoe", "images": 20}],
  "width": {"median": 32}, "height": {"median": 32}, "held_out": {"images": HELD, "labelled": 0, "least_share": 0.31}})";

std::string SurveyThatHoldsOut(int images) {
  return absl::StrCat("echo '", absl::StrReplaceAll(kSurvey, {{"HELD", absl::StrCat(images)}, {"\n", " "}}), "'\n");
}

TEST_F(AutoRecipeTest, AHoldOutOfNoneIsRefusedBeforeAnythingStarts) {
  SetWorker(SurveyThatHoldsOut(0));
  flags_.evaluation.hold_out = 0.01;
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--hold_out 0.01 holds out none of the 60 photos"),
                               HasSubstr("--hold_out 0.31 holds out one at least")));
  EXPECT_FALSE(FileExists(flags_.out));
}

TEST_F(AutoRecipeTest, JudgesOfOtherClassesAreRefusedBeforeAnythingStarts) {
  flags_.evaluation.evaluate = bin_.path();
  const std::string of_judges = R"(echo '{"path": "y", "kind": "class folders", "images": 9, "labelled": 9,
    "classes": [{"name": "Hat", "images": 9}]}')";
  SetWorker(
      absl::StrCat("case \"$*\" in *", bin_.path(), "*) ", of_judges, " ;; *) ", SurveyThatHoldsOut(0), " ;; esac"));
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("none of its 1 class (Hat) is among the 2 classes (hat, shoe) of --data")));
  SetWorker(absl::StrCat("case \"$*\" in *", bin_.path(), "*) echo 'there is no image' >&2; exit 2 ;; *) ",
                         SurveyThatHoldsOut(0), " ;; esac"));
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--evaluate "), HasSubstr("there is no image")));
  EXPECT_FALSE(FileExists(flags_.out));
}

// First in the survey, then while the processes of the probe start.
TEST_F(AutoRecipeTest, CtrlCWhileARecipeIsChosenSaysThatNothingWasBegun) {
  const std::string stands = "echo $$ >> \"$(dirname \"$0\")/pids\"; kill -INT $PPID; exec tail -f /dev/null\n";
  SetWorker(stands);
  const char kNothing[] =
      "stopped while the recipe was being chosen: nothing was begun, and the same command begins again";
  EXPECT_EQ(Refusal(absl::StatusCode::kCancelled), kNothing);
  SetWorker(SurveyThatHoldsOut(15));
  ASSERT_TRUE(WriteFileAtomic(bin_.path() + "/coordinator", absl::StrCat("#!/bin/sh\n", stands)).ok());
  ASSERT_EQ(chmod((bin_.path() + "/coordinator").c_str(), 0755), 0);
  EXPECT_EQ(Refusal(absl::StatusCode::kCancelled), kNothing);
  EXPECT_FALSE(FileExists(flags_.out));
  const std::vector<pid_t> processes = NotedProcesses(bin_.path() + "/pids");
  ExpectAllGone(processes);
  EXPECT_EQ(processes.size(), 2u);
}

TEST_F(AutoRecipeTest, ASecondCallReadsWhatTheFirstOneWrote) {
  WriteRecipe();
  flags_.minutes = 5;
  const auto flags = WithRecipe(flags_);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->recipe, flags_.out + "/recipe.textproto");
  EXPECT_EQ(flags->data, "") << "the recipe says it";
}

TEST_F(AutoRecipeTest, ASecondCallThatMimicsNamesTheTeacher) {
  WriteRecipe("objective { mimic { teacher: \"dinov2\" } }");
  flags_.distill = "weights";
  const auto flags = WithRecipe(flags_);
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->teachers, std::vector<std::string>{"dinov2=weights"});
}

TEST_F(AutoRecipeTest, TheFolderOfAnotherRunIsRefusedAndSaysWhatDiffers) {
  WriteRecipe("init_weights: \"/w\"");
  EXPECT_THAT(Refusal(absl::StatusCode::kAlreadyExists), HasSubstr("--from was /w"));
  flags_.from = "/w";
  EXPECT_TRUE(WithRecipe(flags_).ok());
  flags_.data = bin_.path();
  flags_.distill = "weights";
  EXPECT_THAT(Refusal(absl::StatusCode::kAlreadyExists),
              AllOf(HasSubstr("--data was " + dir_.path()), HasSubstr("--distill was not given")));
}

TEST_F(AutoRecipeTest, TheFolderOfARecipesRunIsRefused) {
  ASSERT_TRUE(MakeDirs(flags_.out).ok());
  ASSERT_TRUE(WriteFileAtomic(flags_.out + "/job.textproto", "name: \"x\"").ok());
  EXPECT_THAT(Refusal(absl::StatusCode::kAlreadyExists), HasSubstr("holds the run of a recipe"));
}

TEST(ChoiceCommandTest, SaysWhatWasAskedFor) {
  RunFlags flags;
  flags.data = "my photos";
  EXPECT_EQ(ChoiceCommand("run", flags), "mimeo run --data 'my photos' --minutes 10");
  flags.data = "photos";
  flags.minutes = 0.5;
  flags.distill = "w";
  flags.evaluation.hold_out = 0.2;
  EXPECT_EQ(ChoiceCommand("init", flags), "mimeo init --data photos --minutes 0.5 --distill w --hold_out 0.2");
}

}  // namespace
}  // namespace mimeo
