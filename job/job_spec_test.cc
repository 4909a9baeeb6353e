#include "job/job_spec.h"
#include "job/job_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace mimeo {
namespace {

using testing::AllOf;
using testing::HasSubstr;

JobSpec Good() {
  const auto spec = ParseRecipe(R"(
      data { path: "photos" global_batch: 64 image_px: 32 }
      encoder { vit { patch_px: 8 width: 64 depth: 2 heads: 2 } }
      objective { name: "pixels" reconstruction { decoder_width: 32 decoder_depth: 1 decoder_heads: 2 } }
      objective { name: "mimic" mimic { teacher: "clip" } }
      schedule { epochs: 10 })",
                                "test");
  EXPECT_TRUE(spec.ok()) << spec.status();
  return *spec;
}

std::string ProblemsOf(const JobSpec& spec) { return std::string(ResolveJobSpec(spec).status().message()); }

TEST(ParseRecipeTest, ListsEveryUnknownFieldWithItsPlaceAndWhatIsKnown) {
  const auto spec = ParseRecipe("data { pth: \"x\" }\nencoder { vit { widht: 3 } }\n", "r.textproto");
  ASSERT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(spec.status().message()),
      AllOf(HasSubstr("r.textproto:1:"), HasSubstr("unknown field \"pth\" in DataSpec; known: path, global_batch"),
            HasSubstr("r.textproto:2:"), HasSubstr("\"widht\" in VitSpec; known: patch_px, width")));
}

TEST(ParseRecipeTest, ASyntaxErrorNamesItsPlace) {
  EXPECT_THAT(std::string(ParseRecipe("data {", "r").status().message()), HasSubstr("r:1:"));
}

TEST(ParseRecipeTest, AnUnknownEnumValueNamesTheAllowedOnes) {
  EXPECT_THAT(std::string(ParseRecipe("resources { device: TPU }", "r").status().message()),
              AllOf(HasSubstr("r:1:"),
                    HasSubstr("unknown value \"TPU\" of device; one of DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA")));
}

TEST(ParseRecipeTest, RefusesABottomlessNest) {
  for (const char* level : {"a{", "encoder{"}) {
    std::string text = "encoder { vit { ";
    for (int i = 0; i < 100000; ++i) text += level;
    EXPECT_EQ(ParseRecipe(text, "r").status().code(), absl::StatusCode::kInvalidArgument) << level;
  }
}

// Files of other kinds are given as recipes, and their bytes end in an error's text.
TEST(ParseRecipeTest, WhatIsNoTextIsNamedByItsLine) {
  const auto refusal = [](absl::string_view text, absl::string_view name) {
    return std::string(ParseRecipe(text, name).status().message());
  };
  EXPECT_EQ(refusal("seed: 1\nname: \"caf\xe9\x1b[31m\"\n", "r"),
            "r:2: not UTF-8: \"name: \"caf\\xe9\\x1b[31m\"\"; a recipe is UTF-8 text");
  EXPECT_THAT(refusal(absl::string_view("seed: 1\n\n\0\n", 11), "r"), HasSubstr("r:3: holds a NUL"));
  EXPECT_THAT(refusal("\x1b[31m: 3", "a\nb\x1b"), AllOf(HasSubstr("a\\x0ab\\x1b:1:"), testing::Not(HasSubstr("\x1b"))));
  EXPECT_THAT(refusal(std::string(1 << 20, '\xe9'), "r"), HasSubstr("r:1: not UTF-8"));
  std::string many;
  for (int i = 0; i < 70000; ++i) absl::StrAppend(&many, "x", i % 10, ": 1\n");
  EXPECT_THAT(refusal(many, "r"), AllOf(HasSubstr("r:100:"), HasSubstr("r: and 69900 problems more")));
  EXPECT_LT(refusal(many, "r").size(), 100u << 10);
}

TEST(ResolveTest, WritesEveryDefaultOutAndIsIdempotent) {
  const auto once = ResolveJobSpec(Good());
  ASSERT_TRUE(once.ok()) << once.status();
  EXPECT_EQ(once->mask().hidden_fraction(), 0.75);
  EXPECT_EQ(once->optimizer().adamw().beta2(), 0.95);
  EXPECT_EQ(once->resources().micro_batch(), 64);
  EXPECT_EQ(once->schedule().warmup_epochs(), 0.5);
  EXPECT_TRUE(once->objective(0).reconstruction().normalize_patches());
  EXPECT_FALSE(once->evaluation().has_bank_path()) << "no evaluation without a path";
  const auto twice = ResolveJobSpec(*once);
  ASSERT_TRUE(twice.ok());
  EXPECT_EQ(JobSpecText(*once), JobSpecText(*twice));
  const auto read = ParseRecipe(JobSpecText(*once), "text");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->SerializeAsString(), once->SerializeAsString());
}

TEST(ResolveTest, AHeldOutPartIsInPlaceOfOtherImages) {
  JobSpec spec = Good();
  EvaluationSpec* const evaluation = spec.mutable_evaluation();
  ASSERT_TRUE(ResolveJobSpec(spec).ok());
  EXPECT_TRUE(ResolveJobSpec(spec)->evaluation().has_hold_out());
  EXPECT_EQ(ResolveJobSpec(spec)->evaluation().hold_out(), 0);
  evaluation->set_path("validation");
  evaluation->set_hold_out(0);
  EXPECT_TRUE(ResolveJobSpec(spec).ok()) << "0 holds out nothing";
  evaluation->set_hold_out(0.1);
  EXPECT_EQ(ProblemsOf(spec),
            "evaluation.hold_out: 0.1 is a share of data.path, and evaluation.path names other images to judge by; "
            "leave out evaluation.path (with bank_path) or evaluation.hold_out");
  evaluation->clear_path();
  const auto resolved = ResolveJobSpec(spec);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_FALSE(resolved->evaluation().has_bank_path());
  EXPECT_TRUE(ResolveJobSpec(*resolved).ok());
  evaluation->set_bank_path("train");
  EXPECT_EQ(ProblemsOf(spec),
            "evaluation.hold_out: 0.1 is a share of data.path, of which the rest is the bank; leave out "
            "evaluation.bank_path");
  evaluation->clear_bank_path();
  for (const double share : {-0.1, 0.51, std::nan("")}) {
    evaluation->set_hold_out(share);
    EXPECT_THAT(ProblemsOf(spec), HasSubstr("is not between 0 and 0.5")) << share;
  }
  evaluation->set_hold_out(0.5);
  EXPECT_TRUE(ResolveJobSpec(spec).ok());
}

TEST(ResolveTest, AWarmupThatIsAShareFollowsTheLengthOfTheTraining) {
  JobSpec spec = Good();
  spec.mutable_schedule()->set_warmup(0.2);
  spec.mutable_schedule()->set_epochs(3);
  const auto in_epochs = ResolveJobSpec(spec);
  ASSERT_TRUE(in_epochs.ok()) << in_epochs.status();
  EXPECT_DOUBLE_EQ(in_epochs->schedule().warmup_epochs(), 0.6);
  EXPECT_FALSE(in_epochs->schedule().has_warmup()) << "a resolved spec says it in one way";
  spec.mutable_schedule()->clear_epochs();
  spec.mutable_schedule()->set_steps(100);
  spec.mutable_schedule()->set_warmup(0.29);
  const auto in_steps = ResolveJobSpec(spec);
  ASSERT_TRUE(in_steps.ok()) << in_steps.status();
  EXPECT_EQ(in_steps->schedule().warmup_steps(), 29);
}

TEST(ResolveTest, AWarmupIsGivenInOneWay) {
  JobSpec spec = Good();
  spec.mutable_schedule()->set_warmup(0.2);
  spec.mutable_schedule()->set_warmup_epochs(1);
  EXPECT_EQ(ProblemsOf(spec),
            "schedule: more than one of warmup, warmup_epochs and warmup_steps is given; at most one");
  spec.mutable_schedule()->clear_warmup();
  spec.mutable_schedule()->set_warmup_epochs(50);
  EXPECT_EQ(
      ProblemsOf(spec),
      "schedule.warmup_epochs: 50 is not between 0 and 10; schedule.warmup=0.05, say, is a share of any training");
}

TEST(ResolveTest, AnExplicitZeroIsNoAbsentField) {
  JobSpec spec = Good();
  spec.mutable_optimizer()->mutable_adamw()->set_weight_decay(0);
  spec.add_views()->set_flip_probability(0);
  const auto resolved = ResolveJobSpec(spec);
  ASSERT_TRUE(resolved.ok());
  EXPECT_EQ(resolved->optimizer().adamw().weight_decay(), 0);
  EXPECT_EQ(resolved->views(0).flip_probability(), 0);
}

TEST(ResolveTest, NamesAllProblemsAtOnce) {
  JobSpec spec = Good();
  spec.mutable_objective(0)->set_weight(-1);
  spec.mutable_encoder()->mutable_vit()->set_patch_px(7);
  spec.mutable_encoder()->mutable_vit()->set_width(65);
  spec.mutable_resources()->set_num_ranks(100);
  spec.mutable_schedule()->set_steps(5);
  const std::string problems = ProblemsOf(spec);
  EXPECT_THAT(problems, HasSubstr("objective[pixels].weight: -1 is not above 0"));
  EXPECT_THAT(
      problems,
      HasSubstr("encoder.vit.patch_px: 7 does not divide data.image_px 32; nearest image sizes that fit: 28, 35"));
  EXPECT_THAT(problems,
              HasSubstr("encoder.vit.width: 65 is not a multiple of 4 and of 2 heads; nearest that fit: 64, 68"));
  EXPECT_THAT(problems, HasSubstr("data.global_batch: 64 is smaller than 100 ranks"));
  EXPECT_THAT(problems, HasSubstr("schedule: both epochs and steps"));
  EXPECT_EQ(absl::StrSplit(problems, '\n').begin()->empty(), false);
}

TEST(ResolveTest, ABatchThatDoesNotDivideNamesTheNearestThatFit) {
  JobSpec spec = Good();
  spec.mutable_data()->set_global_batch(30);
  spec.mutable_resources()->set_num_ranks(4);
  spec.mutable_resources()->set_micro_batch(4);
  EXPECT_EQ(ProblemsOf(spec),
            "data.global_batch: 30 is not a multiple of 4 ranks x micro-batch 4; nearest that fit: 16, 32");
}

TEST(ResolveTest, ABatchThatTheRanksDoNotDivideNeedsNoMicroBatchToBeNamed) {
  JobSpec spec = Good();
  spec.mutable_data()->set_global_batch(30);
  spec.mutable_resources()->set_num_ranks(4);
  EXPECT_EQ(ProblemsOf(spec), "data.global_batch: 30 is not a multiple of 4 ranks; nearest that fit: 28, 32");
  for (const int64_t fits : {28, 32}) {
    spec.mutable_data()->set_global_batch(fits);
    EXPECT_TRUE(ResolveJobSpec(spec).ok()) << ProblemsOf(spec);
  }
}

TEST(ResolveTest, PathsAreUtf8AndStayReadable) {
  JobSpec spec = Good();
  spec.mutable_data()->set_path("/photos/\xc3\xa9t\xc3\xa9");
  const auto resolved = ResolveJobSpec(spec);
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_THAT(JobSpecText(*resolved), HasSubstr("path: \"/photos/\xc3\xa9t\xc3\xa9\""));
  EXPECT_EQ(ParseRecipe(JobSpecText(*resolved), "r")->data().path(), spec.data().path());
  spec.mutable_data()->set_path("/photos/\xff");
  spec.mutable_evaluation()->set_path("a\xc3");
  EXPECT_THAT(ProblemsOf(spec),
              AllOf(HasSubstr("data.path: \"/photos/\\xff\" is not UTF-8"), HasSubstr("evaluation.path: \"a\\xc3\"")));
}

TEST(ResolveTest, RefusesEachSingleMistake) {
  struct Case {
    const char* set;
    const char* field;
  };
  for (const Case& c : {Case{"data.global_batch=0", "data.global_batch"},
                        Case{"data.path=", "data.path"},
                        Case{"mask.hidden_fraction=1", "mask.hidden_fraction"},
                        Case{"mask.hidden_fraction=0.99", "mask.hidden_fraction"},
                        Case{"mask.hidden_fraction=nan", "mask.hidden_fraction"},
                        Case{"views.crop_scale_min=0", "views.crop_scale_min"},
                        Case{"views.crop_ratio_min=2", "views.crop_ratio_min"},
                        Case{"objective[mimic].mimic.teacher=", "teacher"},
                        Case{"objective[mimic].name=pixels", ".name"},
                        Case{"objective[pixels].weight=nan", "weight"},
                        Case{"encoder.vit.heads=3", "encoder.vit.width"},
                        Case{"encoder.vit.depth=0", "encoder.vit.depth"},
                        Case{"schedule.epochs=0", "schedule.epochs"},
                        Case{"schedule.warmup_epochs=11", "schedule.warmup_epochs"},
                        Case{"schedule.warmup=1.5", "schedule.warmup: 1.5 is not between 0 and 1"},
                        Case{"schedule.warmup=nan", "schedule.warmup"},
                        Case{"schedule.warmup_steps=3", "warmup_steps: goes with steps"},
                        Case{"optimizer.adamw.beta1=1", "beta1"},
                        Case{"checkpoint.keep_last=0", "keep_last"},
                        Case{"resources.micro_batch=0", "resources.micro_batch"},
                        Case{"name=a b", "name"}}) {
    JobSpec spec = Good();
    ASSERT_TRUE(SetField(c.set, &spec).ok()) << c.set << " " << SetField(c.set, &spec);
    EXPECT_THAT(ProblemsOf(spec), HasSubstr(c.field)) << c.set;
  }
}

TEST(SetFieldTest, SetsNumbersTextsEnumsAndListElements) {
  JobSpec spec = Good();
  for (const char* set :
       {"schedule.epochs=3", "objective[mimic].weight=0.5", "objective[0].weight=2", "seed=7", "name=my-job",
        "data.path=/a b=c", "resources.precision=PRECISION_BF16", "evaluation.at_start=false"}) {
    EXPECT_TRUE(SetField(set, &spec).ok()) << set << " " << SetField(set, &spec);
  }
  EXPECT_EQ(spec.schedule().epochs(), 3);
  EXPECT_EQ(spec.objective(1).weight(), 0.5);
  EXPECT_EQ(spec.objective(0).weight(), 2);
  EXPECT_EQ(spec.seed(), 7u);
  EXPECT_EQ(spec.data().path(), "/a b=c");
  EXPECT_EQ(spec.resources().precision(), PRECISION_BF16);
  EXPECT_FALSE(spec.evaluation().at_start());
}

TEST(SetFieldTest, AnObjectiveWithoutANameHasItsKinds) {
  JobSpec spec = Good();
  spec.mutable_objective(1)->clear_name();
  ASSERT_TRUE(SetField("objective[mimic].weight=0.5", &spec).ok());
  EXPECT_EQ(spec.objective(1).weight(), 0.5);
  EXPECT_FALSE(spec.objective(1).has_name());
}

TEST(SetFieldTest, NothingTakesAFieldOut) {
  JobSpec spec = Good();
  spec.mutable_schedule()->set_steps(3);
  spec.mutable_ema()->set_decay(0.5);
  spec.add_views();
  for (const char* set : {"schedule.steps=", "ema=", "views=", "seed="}) EXPECT_TRUE(SetField(set, &spec).ok()) << set;
  EXPECT_FALSE(spec.schedule().has_steps() || spec.has_ema() || spec.has_seed());
  EXPECT_EQ(spec.views_size(), 0);
}

TEST(SetFieldTest, CreatesWhatLeadsToTheField) {
  JobSpec spec;
  EXPECT_TRUE(SetField("encoder.vit.depth=4", &spec).ok());
  EXPECT_TRUE(SetField("optimizer.adamw.weight_decay=0", &spec).ok());
  EXPECT_EQ(spec.encoder().vit().depth(), 4);
  EXPECT_TRUE(spec.optimizer().adamw().has_weight_decay());
}

// A list of at most one element needs no number.
TEST(SetFieldTest, FindsTheOnlyGroupOfViews) {
  JobSpec spec;
  EXPECT_TRUE(SetField("views.count=2", &spec).ok());
  EXPECT_TRUE(SetField("views.flip_probability=0", &spec).ok());
  ASSERT_EQ(spec.views_size(), 1);
  EXPECT_EQ(spec.views(0).count(), 2);
  EXPECT_TRUE(spec.views(0).has_flip_probability());
  spec.add_views();
  EXPECT_FALSE(SetField("views.count=3", &spec).ok());
  EXPECT_TRUE(SetField("views[1].count=3", &spec).ok());
  EXPECT_EQ(spec.views(1).count(), 3);
}

TEST(SetFieldTest, SaysWhatIsWrongAndWhatThereIs) {
  struct Case {
    const char* set;
    const char* says;
  };
  for (const Case& c :
       {Case{"schedule.epoch=3", "no field \"epoch\" in ScheduleSpec; known: epochs, steps"},
        Case{"objective[clip].weight=1", "no objective is named \"clip\"; there are: pixels, mimic"},
        Case{"objective.weight=1", "is a list of 2; say which"}, Case{"seed", "not FIELD=VALUE"},
        Case{"seed=many", "seed=many: expected a whole number"}, Case{"encoder.vit=3", "expected a field below it"},
        Case{"resources.device=TPU", "one of DEVICE_AUTO, DEVICE_CPU, DEVICE_CUDA"},
        Case{"data[9].global_batch=1", "data is not a list; write it without [9]"},
        Case{"seed=-1", "expected a whole number, 0 or more"},
        Case{"data.image_px=99999999999", "expected a whole number, at most 2147483647"},
        Case{"seed.x=1", "has no fields below it"}}) {
    JobSpec spec = Good();
    const absl::Status status = SetField(c.set, &spec);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.set;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says));
    EXPECT_EQ(JobSpecText(spec), JobSpecText(Good())) << c.set << " changed something";
  }
}

TEST(SetFieldTest, WhatIsNoTextIsRefusedAndWrittenOut) {
  JobSpec spec = Good();
  const auto refusal = [&](absl::string_view assignment) { return std::string(SetField(assignment, &spec).message()); };
  EXPECT_THAT(refusal("data.path=caf\xe9"), HasSubstr("--set data.path=caf\\xe9: not UTF-8"));
  EXPECT_EQ(spec.data().path(), Good().data().path());
  EXPECT_THAT(refusal("\x1b[2Jseed=1"), HasSubstr("there is no field \"\\x1b[2Jseed\""));
  EXPECT_THAT(refusal("seed=1\nmimeo: done"), HasSubstr("--set seed=1\\x0amimeo: done: expected"));
  EXPECT_LT(refusal("seed=" + std::string(100000, 'x')).size(), 5000u);
}

// MAE counts by Python's int(L * (1 - ratio)), in IEEE double.
TEST(NumVisibleTest, TruncatesAsMaeDoes) {
  const double hidden[] = {.4, .5, .6, .65, .7, .75, .8, .85, .9, .95};
  const std::map<int, std::vector<int>> visible = {{49, {29, 24, 19, 17, 14, 12, 9, 7, 4, 2}},
                                                   {64, {38, 32, 25, 22, 19, 16, 12, 9, 6, 3}},
                                                   {196, {117, 98, 78, 68, 58, 49, 39, 29, 19, 9}},
                                                   {256, {153, 128, 102, 89, 76, 64, 51, 38, 25, 12}},
                                                   {576, {345, 288, 230, 201, 172, 144, 115, 86, 57, 28}}};
  for (const auto& [patches, counts] : visible) {
    for (size_t i = 0; i < counts.size(); ++i) {
      EXPECT_EQ(NumVisible(patches, hidden[i]), counts[i]) << patches << " " << hidden[i];
    }
  }
  EXPECT_EQ(NumVisible(10, 0.9), 0) << "10 * (1 - 0.9) is 0.9999999999999998";
}

TEST(CountsTest, StepsFollowFromSamplesBatchAndEpochs) {
  JobSpec spec = *ResolveJobSpec(Good());
  EXPECT_EQ(StepsPerEpoch(spec, 1000), 15);
  EXPECT_EQ(TotalSteps(spec, 1000), 150);
  spec.mutable_resources()->set_num_ranks(2);
  spec.mutable_resources()->set_micro_batch(8);
  EXPECT_EQ(AccumulationSteps(spec, 2), 4);
  EXPECT_EQ(NumPatches(spec), 16);
  EXPECT_EQ(TeacherNames(spec), std::vector<std::string>{"clip"});
}

class RecipesIn : public ::testing::TestWithParam<std::string> {};

TEST_P(RecipesIn, ResolveOnceTheyHaveDataAndSteps) {
  const std::string dir = absl::StrCat(std::getenv("TEST_SRCDIR"), "/", std::getenv("TEST_WORKSPACE"), "/", GetParam());
  int recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() != ".textproto") continue;
    ++recipes;
    const auto text = ReadFile(entry.path().string());
    ASSERT_TRUE(text.ok()) << text.status();
    auto spec = ParseRecipe(*text, entry.path().string());
    ASSERT_TRUE(spec.ok()) << spec.status();
    if (!spec->data().has_path()) spec->mutable_data()->set_path("photos");
    if (!spec->has_schedule()) spec->mutable_schedule()->set_steps(10);
    const auto resolved = ResolveJobSpec(*spec);
    EXPECT_TRUE(resolved.ok()) << entry.path() << ": " << resolved.status();
  }
  EXPECT_GE(recipes, 3);
}
INSTANTIATE_TEST_SUITE_P(Folders, RecipesIn, ::testing::Values("recipes", "tests/known_answers", "tests/methods"));

}  // namespace
}  // namespace mimeo
