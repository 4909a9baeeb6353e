#include "client/run/run_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace mimeo {
namespace {

using testing::HasSubstr;

constexpr char kRecipe[] = R"(
data { global_batch: 8 image_px: 16 }
encoder { vit { patch_px: 8 width: 8 depth: 1 heads: 1 } }
objective { name: "pixels" reconstruction { decoder_width: 8 decoder_depth: 1 decoder_heads: 1 } }
objective { name: "mimic" mimic { teacher: "clip" } }
schedule { steps: 2 }
resources { num_ranks: 2 }
)";

class RunPlanTest : public testing::Test {
 protected:
  RunPlanTest() {
    EXPECT_TRUE(WriteFileAtomic(dir_.path() + "/recipe", kRecipe).ok());
    EXPECT_TRUE(WriteFileAtomic(dir_.path() + "/weights", "x").ok());
    flags_.recipe = dir_.path() + "/recipe";
    flags_.data = dir_.path();
    flags_.out = dir_.path() + "/out";
    flags_.teachers = {"clip=" + dir_.path() + "/weights"};
  }
  std::string Refusal() { return std::string(MakeRunPlan(flags_, 2).status().message()); }

  TempDir dir_;
  RunFlags flags_;
};

TEST_F(RunPlanTest, ReadsEverythingAndSharesTheCores) {
  flags_.sets = {"seed=9", "objective[mimic].weight=0.5"};
  const auto plan = MakeRunPlan(flags_, 8);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->spec.seed(), 9u);
  EXPECT_EQ(plan->spec.objective(1).weight(), 0.5);
  EXPECT_EQ(plan->spec.resources().threads_per_rank(), 4);
  EXPECT_EQ(plan->cluster.shares.workers, 2);
  EXPECT_EQ(plan->cluster.teachers.size(), 1u);
  EXPECT_EQ(plan->cluster.shares.ToString(), "8 cores: 2 workers with 4 threads each, 1 teacher with 4 threads");
}

TEST_F(RunPlanTest, WorkersOverrideTheRecipesRanks) {
  flags_.workers = 1;
  const auto plan = MakeRunPlan(flags_, 2);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->spec.resources().num_ranks(), 1);
  EXPECT_EQ(plan->spec.resources().threads_per_rank(), 2);
}

TEST_F(RunPlanTest, APlanOnlyMayLackDataTeachersAndAPlaceForResults) {
  flags_.data = flags_.out = "";
  flags_.teachers.clear();
  const auto here = MakeRunPlan(flags_, 2, PlanFor::kHere);
  ASSERT_TRUE(here.ok()) << here.status();
  EXPECT_FALSE(here->has_data);
  EXPECT_FALSE(here->has_teachers);
  flags_.data = "/nowhere/photos";
  EXPECT_FALSE(MakeRunPlan(flags_, 2, PlanFor::kHere).ok());
  const auto elsewhere = MakeRunPlan(flags_, 2, PlanFor::kElsewhere);
  ASSERT_TRUE(elsewhere.ok()) << elsewhere.status();
  EXPECT_TRUE(elsewhere->has_data) << "the path is another machine's";
}

TEST_F(RunPlanTest, NamesEveryProblemAtOnce) {
  flags_.data = "/nowhere/photos";
  flags_.teachers = {"dino"};
  flags_.sets = {"seed=many", "encoder.vit.depth=0"};
  const std::string problems = Refusal();
  EXPECT_THAT(problems, HasSubstr("data.path: /nowhere/photos does not exist"));
  EXPECT_THAT(problems, HasSubstr("--teacher dino: not NAME=WEIGHTS"));
  EXPECT_THAT(problems, HasSubstr("a teacher named \"clip\"; say which weights it has: --teacher clip=WEIGHTS"));
  EXPECT_THAT(problems, HasSubstr("seed=many: expected a whole number"));
  EXPECT_THAT(problems, HasSubstr("encoder.vit.depth: 0"));
}

TEST_F(RunPlanTest, AFolderWithAnotherRunIsRefusedAndTheSameIsContinued) {
  const auto plan = MakeRunPlan(flags_, 2);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_TRUE(MakeDirs(plan->out).ok());
  ASSERT_TRUE(WriteFileAtomic(plan->out + "/job.textproto", plan->text).ok());
  EXPECT_TRUE(MakeRunPlan(flags_, 2).ok());
  flags_.sets = {"seed=3"};
  EXPECT_EQ(MakeRunPlan(flags_, 2).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(Refusal(), HasSubstr("holds the run of another job"));
  EXPECT_THAT(Refusal(), HasSubstr("\nseed: 3, but 0 in the job\n"));
  flags_.sets = {absl::StrCat("schedule.steps=", plan->spec.schedule().steps() + 100)};
  EXPECT_TRUE(MakeRunPlan(flags_, 2).ok()) << "a longer one: the job's state decides";
}

TEST_F(RunPlanTest, ATeacherThatNobodyMimicsOrThatComesTwiceIsAMistake) {
  flags_.teachers.push_back("klip=" + dir_.path() + "/weights");
  EXPECT_THAT(Refusal(), HasSubstr("/weights: the recipe mimics no teacher of this name; it mimics: clip"));
  flags_.teachers[1] = flags_.teachers[0];
  EXPECT_THAT(Refusal(), HasSubstr("clip is given twice"));
}

TEST_F(RunPlanTest, OutMustBeOrBecomeAFolder) {
  flags_.out = dir_.path() + "/weights/deeper/out";
  EXPECT_EQ(MakeRunPlan(flags_, 2).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Refusal(), HasSubstr("/weights is not a folder"));
  flags_.out = "/proc/out";
  EXPECT_THAT(Refusal(), HasSubstr("--out /proc/out: cannot be written"));
}

TEST_F(RunPlanTest, EachResultMustHaveItsPlace) {
  flags_.out = dir_.path() + "/out";
  ASSERT_TRUE(MakeDirs(flags_.out + "/report.html").ok());
  ASSERT_TRUE(WriteFileAtomic(flags_.out + "/encoder", "a file").ok());
  const std::string problems = Refusal();
  EXPECT_THAT(problems, HasSubstr("/out/report.html: is a folder"));
  EXPECT_THAT(problems, HasSubstr("/out/encoder is not a folder"));
}

// Fields that this version added have the defaults that the run had without them.
TEST_F(RunPlanTest, ARunOfAnEarlierVersionGoesOn) {
  const auto plan = MakeRunPlan(flags_, 2);
  ASSERT_TRUE(plan.ok()) << plan.status();
  const std::string added = "tokens: MIMIC_TOKENS_VISIBLE";
  std::string text = plan->text;
  ASSERT_THAT(text, HasSubstr(added));
  text.erase(text.find(added), added.size());
  ASSERT_TRUE(MakeDirs(flags_.out).ok());
  ASSERT_TRUE(WriteFileAtomic(flags_.out + "/job.textproto", text).ok());
  EXPECT_TRUE(MakeRunPlan(flags_, 2).ok());
  flags_.sets = {"seed=9"};
  EXPECT_THAT(Refusal(), HasSubstr("holds the run of another job"));
}

TEST_F(RunPlanTest, APartOfThePhotosIsHeldOutWhereTheRecipesImagesAreOfOthers) {
  ASSERT_TRUE(
      WriteFileAtomic(flags_.recipe, absl::StrCat(kRecipe, "evaluation { path: \"/nowhere/validation\" }")).ok());
  auto plan = MakeRunPlan(flags_, 2);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->spec.evaluation().hold_out(), 0.1);
  EXPECT_FALSE(plan->spec.evaluation().has_path());
  EXPECT_THAT(plan->decided, HasSubstr("holds out 10 % of " + flags_.data));
  flags_.evaluation.evaluate = dir_.path() + "/weights/..";
  plan = MakeRunPlan(flags_, 2);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->spec.evaluation().path(), dir_.path() + "/");
  EXPECT_EQ(plan->spec.evaluation().bank_path(), plan->spec.data().path()) << "as an absolute path";
  EXPECT_EQ(plan->decided, "");
  flags_.evaluation.evaluate = "nowhere";
  EXPECT_THAT(Refusal(), HasSubstr("evaluation.path: "));
  flags_.evaluation = {};
  flags_.sets = {"evaluation.path=/nowhere/validation"};
  EXPECT_THAT(Refusal(), HasSubstr("evaluation.path: /nowhere/validation does not exist"));
}

TEST_F(RunPlanTest, AMissingRecipeIsNamed) {
  flags_.recipe = "/nowhere/recipe";
  EXPECT_THAT(Refusal(), HasSubstr("/nowhere/recipe"));
}

TEST_F(RunPlanTest, BytesThatAreNoTextAreNamedAndRefused) {
  flags_.data = dir_.path() + "/caf\xe9";
  ASSERT_TRUE(MakeDirs(flags_.data).ok());
  flags_.sets = {"evaluation.path=caf\xe9", "seed=\x1b[2J"};
  const std::string problems = Refusal();
  EXPECT_EQ(MakeRunPlan(flags_, 2).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(problems, HasSubstr("/caf\\xe9\" is not UTF-8"));
  EXPECT_THAT(problems, HasSubstr("--set evaluation.path=caf\\xe9: not UTF-8"));
  EXPECT_THAT(problems, HasSubstr("--set seed=\\x1b[2J: expected a whole number"));
  flags_.data = dir_.path();
  flags_.sets.clear();
  flags_.out = dir_.path() + "/caf\xe9/out";  // stays on this machine
  EXPECT_TRUE(MakeRunPlan(flags_, 2).ok());
}

}  // namespace
}  // namespace mimeo
