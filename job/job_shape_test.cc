#include "job/job_shape.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <vector>

#include "job/job_spec.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;

JobSpec Resolved(const std::string& parts) {
  const std::string base = "data { path: \"photos\" global_batch: 64 } schedule { epochs: 10 } ";
  JobSpec spec;  // merged: parts may speak of the same message
  EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(base + parts, &spec)) << parts;
  return ResolveJobSpec(spec).value();
}

constexpr char kVit[] = "encoder { vit { patch_px: 16 width: 64 depth: 4 heads: 2 } } objective { reconstruction {} } ";

TEST(NumVisibleTest, CountsWholeUnitsSquaresOfAGridAndEverythingWithoutAMask) {
  const std::string vit = kVit;
  EXPECT_EQ(NumVisible(Resolved(vit)), 49);
  EXPECT_EQ(NumVisible(Resolved(vit + "mask { hidden_fraction: 0.6 unit_patches: 2 }")),
            19 * 4);  // int(49 * 0.4) units of 4
  EXPECT_EQ(NumVisible(Resolved(vit + "mask { grid {} }")), 49);
  // A fraction with few digits, whose product with 144 patches falls just below 16.
  EXPECT_EQ(NumVisible(Resolved(vit + "data { image_px: 192 } mask { grid {} hidden_fraction: 0.8888888889 }")), 16);
  EXPECT_EQ(NumVisible(Resolved("encoder { vit { width: 64 depth: 4 heads: 2 } } mask { none {} } "
                                "objective { mimic { teacher: \"clip\" } }")),
            196);
}

TEST(ViewsTest, NumbersRunThroughTheGroupsAndSizeTellsFullFromSmall) {
  const JobSpec one = Resolved(kVit);
  ASSERT_EQ(EachView(one).size(), 1u);
  EXPECT_TRUE(IsFullSize(EachView(one)[0], one.data()));
  const JobSpec crops = Resolved(
      "data { image_px: 64 image_width_px: 96 } encoder { vit { width: 64 depth: 4 heads: 2 } } mask { none {} } ema "
      "{} "
      "views { count: 2 } views { count: 3 image_px: 32 flip_probability: 0 } objective { self_distillation {} }");
  const std::vector<ViewSpec> views = EachView(crops);
  ASSERT_EQ(views.size(), 5u);
  EXPECT_EQ(views[1].image_width_px(), 96) << "of the data";
  EXPECT_TRUE(IsFullSize(views[1], crops.data()));
  EXPECT_EQ(views[2].image_width_px(), 32) << "a square, where only the height is given";
  EXPECT_EQ(views[4].flip_probability(), 0);
  EXPECT_FALSE(IsFullSize(views[2], crops.data()));
}

TEST(PatchesTest, OfRectanglesAndOfMcmae) {
  const JobSpec wide = Resolved(std::string(kVit) + "data { image_px: 64 image_width_px: 96 }");
  EXPECT_EQ(PatchRows(wide), 4);
  EXPECT_EQ(PatchCols(wide), 6);
  EXPECT_EQ(NumPatches(wide), 24);
  EXPECT_EQ(
      PatchPx(Resolved("encoder { conv_vit { stage_width: [8, 8] stage_depth: [1, 1] width: 64 depth: 1 heads: 2 } } "
                       "objective { reconstruction {} }")),
      16);
}

TEST(TeacherNamesTest, OfObjectivesAndOfTheMaskEachOnceInOrder) {
  EXPECT_THAT(TeacherNames(Resolved(std::string(kVit) + R"(
      mask { focused { teacher: "dino" } }
      objective { name: "a" mimic { teacher: "sam" } }
      objective { name: "b" mimic { teacher: "clip" } }
      objective { name: "c" mimic { teacher: "clip" teacher_layer: 3 } })")),
              ElementsAre("clip", "dino", "sam"));
  EXPECT_THAT(TeacherNames(Resolved(kVit)), ElementsAre());
}

TEST(ContrastGroupTest, IsTheGlobalBatchAndOneMicroStep) {
  const JobSpec spec = Resolved(
      std::string(kVit) + "views { count: 2 } objective { contrastive { info_nce {} } } resources { num_ranks: 4 }");
  EXPECT_EQ(spec.data().contrast_group(), 64);
  EXPECT_EQ(spec.resources().micro_batch(), 16);
  EXPECT_EQ(AccumulationSteps(spec), 1);
  EXPECT_FALSE(Resolved(kVit).data().has_contrast_group());
}

}  // namespace
}  // namespace mimeo
