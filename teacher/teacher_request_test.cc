#include "teacher/teacher_request.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
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

TEST(TeacherRequestsTest, EqualWishesAreOneAndTheDrawingOneIsFirst) {
  const JobSpec spec = Resolved(std::string(kVit) + R"(
      mask { focused { teacher: "dino" } }
      objective { name: "a" mimic { teacher: "clip" } }
      objective { name: "b" mimic { teacher: "clip" teacher_layer: 3 } }
      objective { name: "c" mimic { teacher: "clip" distance: MIMIC_DISTANCE_COSINE } }
      objective { name: "d" mimic { teacher: "dino" class_token: true } })");
  const std::vector<TeacherRequest> requests = TeacherRequests(spec);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].teacher, "dino");
  EXPECT_TRUE(requests[0].draws_masks() && requests[0].wish.class_token() && requests[0].wants_features());
  EXPECT_THAT(requests[0].objectives, ElementsAre("d"));
  EXPECT_THAT(requests[1].objectives, ElementsAre("a", "c"));
  EXPECT_EQ(requests[2].wish.layer(), 3);
  EXPECT_FALSE(requests[1].draws_masks() || requests[2].draws_masks());
}

TEST(TeacherRequestsTest, HiddenTokensAreAWishOfTheirOwnAndDrawNoMask) {
  const JobSpec spec = Resolved(std::string(kVit) + R"(
      mask { hidden_fraction: 0.75 focused { teacher: "dino" } }
      objective { name: "a" mimic { teacher: "dino" tokens: MIMIC_TOKENS_HIDDEN } }
      objective { name: "b" mimic { teacher: "clip" class_token: true } }
      objective { name: "c" mimic { teacher: "clip" class_token: true tokens: MIMIC_TOKENS_ALL } })");
  const std::vector<TeacherRequest> requests = TeacherRequests(spec);
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_TRUE(requests[0].draws_masks());
  EXPECT_FALSE(requests[0].wants_features());
  EXPECT_THAT(requests[0].objectives, ElementsAre());
  EXPECT_THAT(requests[1].objectives, ElementsAre("a"));
  EXPECT_FALSE(requests[1].draws_masks());
  EXPECT_EQ(NumTokens(requests[1], spec), 147);
  EXPECT_EQ(NumTokens(requests[2], spec), 50);
  EXPECT_EQ(NumTokens(requests[3], spec), 197);
}

TEST(TeacherRequestsTest, AMaskAloneWantsNoFeatures) {
  const std::vector<TeacherRequest> requests =
      TeacherRequests(Resolved(std::string(kVit) + "mask { focused { teacher: \"dino\" } }"));
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_TRUE(requests[0].draws_masks());
  EXPECT_FALSE(requests[0].wants_features());
  EXPECT_THAT(requests[0].objectives, ElementsAre());
}

// Every word of a recipe that the teacher has to know is in the wish, and nothing else is.
TEST(TeacherRequestsTest, AMimicAndAMaskBecomeOneWish) {
  const JobSpec spec = Resolved(R"(
      data { image_px: 64 image_width_px: 96 channels: 1 }
      encoder { vit { patch_px: 16 width: 64 depth: 4 heads: 2 } }
      mask { hidden_fraction: 0.75 same_in_all_views: true focused { teacher: "dino" most_attended: true } }
      objective { mimic { teacher: "dino" teacher_layer: 3 class_token: true distance: MIMIC_DISTANCE_COSINE } }
      objective { name: "b" mimic { teacher: "clip" projected: true } })");
  const std::vector<TeacherRequest> requests = TeacherRequests(spec);
  ASSERT_EQ(requests.size(), 2u);
  EXPECT_EQ(requests[0].wish.ShortDebugString(),
            "rows: 4 cols: 6 layer: 3 class_token: true focused { most_attended: true num_visible: 6 }");
  EXPECT_EQ(requests[1].wish.ShortDebugString(), "rows: 4 cols: 6 projected: true");
  EXPECT_EQ(WishOf(spec.objective(1).mimic(), spec).ShortDebugString(), requests[1].wish.ShortDebugString());
  for (const TeacherRequest& request : requests) {
    EXPECT_TRUE((request.image == ImageShape{1, 64, 96}));
    EXPECT_TRUE(request.same_in_all_views);
  }
}

}  // namespace
}  // namespace mimeo
