// What a rank's client may wish of a teacher, over loopback: layers, projections, class tokens, masks that the teacher
// draws, crops of any size; and what it refuses.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/mask_plan.h"
#include "teacher/teacher_client.h"
#include "tests/teacher/labelling_teacher.h"

namespace mimeo::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using TeacherWishesTest = TeacherClientFixture;

TEST_F(TeacherWishesTest, AsksForTheTokensThatTheRequestNames) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  TeacherClientOptions of_block = Options(), projected = Options();
  of_block.request.wish.set_layer(2), of_block.request.wish.set_class_token(true),
      of_block.request.objectives = {"early", "late"};
  projected.request.wish.set_projected(true);
  for (const TeacherClientOptions& options : {of_block, projected}) {
    const auto source = Connect(options);
    ASSERT_NE(source, nullptr);
    EXPECT_EQ(source->width(), options.request.wish.projected() ? kProjectedWidth : kWidth);
    Sent sent = MakeBatch(5, 3, 2);
    const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
    ASSERT_TRUE(attached.ok()) << attached;
    ExpectFeatures(sent, options.request);
  }
}

TEST_F(TeacherWishesTest, AsksForTheTokensOfHiddenPatchesAndOfAll) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  for (const MimicTokens tokens : {MIMIC_TOKENS_HIDDEN, MIMIC_TOKENS_ALL}) {
    for (const bool complementary : {false, true}) {
      TeacherClientOptions options = Options();
      options.request.tokens = tokens, options.request.wish.set_class_token(tokens == MIMIC_TOKENS_ALL);
      const auto source = Connect(options);
      ASSERT_NE(source, nullptr);
      Sent sent = MakeBatch(5, 1, 2);
      if (complementary) {
        sent.views[1] = sent.views[0];
        std::swap(sent.views[1].plan.visible_BK, sent.views[1].plan.hidden_BM);
      }
      const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
      ASSERT_TRUE(attached.ok()) << attached;
      ExpectFeatures(sent, options.request);
    }
  }
}

TEST_F(TeacherWishesTest, HiddenPatchesOfDrawnPlansAreAskedForAfterThem) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  TeacherClientOptions drawing = DrawingOptions(), hidden = Options();
  WantNoFeatures(&drawing);
  hidden.request.tokens = MIMIC_TOKENS_HIDDEN;
  const auto first = Connect(drawing), second = Connect(hidden);
  ASSERT_TRUE(first != nullptr && second != nullptr);
  Sent sent = MakeBatch(3, 2, 1);
  sent.views[0].plan = MaskPlan();
  ASSERT_TRUE(first->Attach(sent.batch, Soon(), &sent.views).ok());
  ASSERT_TRUE(second->Attach(sent.batch, Soon(), &sent.views).ok());
  ExpectDrawn(sent, 4, false);
  ExpectFeatures(sent, hidden.request);
}

TEST_F(TeacherWishesTest, TheTeacherDrawsPlansAndLaterSourcesUseThem) {
  for (const bool most_attended : {false, true}) {
    TinyTeacher teacher(Contract("a"));
    SetAddress(teacher.address());
    TeacherClientOptions drawing = DrawingOptions(), later = Options();
    drawing.request.wish.mutable_focused()->set_most_attended(most_attended);
    drawing.request.wish.set_class_token(true);
    later.request.wish.set_layer(1), later.request.objectives = {"other"};
    const auto first = Connect(drawing), second = Connect(later);  // two sources, one teacher
    ASSERT_TRUE(first != nullptr && second != nullptr);
    Sent sent = MakeBatch(5, 2, 2);  // 5 images: two requests a view
    for (ViewInput& view : sent.views) view.plan = MaskPlan();
    absl::Status attached = first->Attach(sent.batch, Soon(), &sent.views);
    ASSERT_TRUE(attached.ok()) << attached;
    ExpectDrawn(sent, 4, most_attended);
    ExpectFeatures(sent, drawing.request);
    for (ViewInput& view : sent.views) view.teacher_BNT.clear();
    attached = second->Attach(sent.batch, Soon(), &sent.views);
    ASSERT_TRUE(attached.ok()) << attached;
    ExpectDrawn(sent, 4, most_attended);
    ExpectFeatures(sent, later.request);
  }
}

TEST_F(TeacherWishesTest, OnePlanServesAllViewsWhereTheJobSaysSo) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  for (const bool mimics : {true, false}) {
    TeacherClientOptions options = DrawingOptions();
    options.request.same_in_all_views = true, options.request.wish.set_class_token(true);
    if (!mimics) WantNoFeatures(&options);
    const auto source = Connect(options);
    ASSERT_NE(source, nullptr);
    Sent sent = MakeBatch(5, 2, 3);
    for (ViewInput& view : sent.views) view.plan = MaskPlan();
    const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
    ASSERT_TRUE(attached.ok()) << attached;
    ExpectFeatures(sent, options.request);
    for (const int v : {1, 2}) {
      EXPECT_TRUE(at::equal(sent.views[v].plan.visible_BK, sent.views[0].plan.visible_BK));
      EXPECT_TRUE(at::equal(sent.views[v].plan.hidden_BM, sent.views[0].plan.hidden_BM));
    }
    const ViewInput second = sent.views[1];
    sent.views.resize(1);
    ExpectDrawn(sent, 4, false);
    // A plan that view 0 came with serves, too.
    sent.views.push_back(second);
    sent.views[1].plan = MaskPlan();
    sent.views[1].teacher_BNT.clear();
    ASSERT_TRUE(source->Attach(sent.batch, Soon(), &sent.views).ok());
    ExpectFeatures(sent, options.request);
    EXPECT_TRUE(at::equal(sent.views[1].plan.visible_BK, sent.views[0].plan.visible_BK));
    sent.views.erase(sent.views.begin());
    EXPECT_EQ(source->Attach(sent.batch, Soon(), &sent.views).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(TeacherWishesTest, OnlyMasksAreDrawnWhereNobodyMimics) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  TeacherClientOptions options = DrawingOptions();
  WantNoFeatures(&options);
  const auto source = Connect(options);
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(3, 2, 1);
  sent.views[0].plan = MaskPlan();
  ASSERT_TRUE(source->Attach(sent.batch, Soon(), &sent.views).ok());
  ExpectDrawn(sent, 4, false);
  EXPECT_TRUE(sent.views[0].teacher_BNT.empty());
  EXPECT_EQ(teacher.images(), 3);
  ASSERT_TRUE(source->Attach(sent.batch, Soon(), &sent.views).ok());  // nothing is left to ask
  EXPECT_EQ(teacher.images(), 3);
}

TEST_F(TeacherWishesTest, ComplementaryMasksOfACropAskOnce) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  for (const bool class_token : {false, true}) {
    TeacherClientOptions options = Options();
    options.request.wish.set_class_token(class_token);
    const auto source = Connect(options);
    ASSERT_NE(source, nullptr);
    Sent sent = MakeBatch(3, 2, 2);
    const std::vector<ViewInput> once = sent.views;
    sent.views.clear();
    for (const ViewInput& view : once) {
      sent.views.insert(sent.views.end(), 2, view);
      sent.views.back().plan.visible_BK = 3 - view.plan.visible_BK;
    }
    const int before = teacher.images();
    const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
    ASSERT_TRUE(attached.ok()) << attached;
    ExpectFeatures(sent, options.request);
    EXPECT_EQ(teacher.images() - before, 2 * 3);
  }
}

TEST_F(TeacherWishesTest, SendsItsOwnCropsWhateverTheTeachersImagesAre) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  TeacherClientOptions options = DrawingOptions();
  SetCrops({1, 12, 20}, &options);
  const auto source = Connect(options);
  ASSERT_NE(source, nullptr);
  Sent sent = MakeBatch(3, 2, 1);
  at::Tensor grey = at::empty({3, 1, 12, 20}, at::kByte);
  for (int b = 0; b < 3; ++b) grey[b].fill_(b);
  sent.batch.views_BCHW[0] = grey;
  sent.views[0].plan = MaskPlan();
  const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
  ASSERT_TRUE(attached.ok()) << attached;
  ExpectDrawn(sent, 15, false);
  ExpectFeatures(sent);
}

TEST_F(TeacherWishesTest, ATeacherThatDoesNotFitIsRefusedWithBothContracts) {
  TeacherContract contract = Contract("feed");
  contract.set_projected_width(0), contract.set_has_class_token(false);
  TinyTeacher teacher(contract);
  SetAddress(teacher.address());
  const struct {
    const char* why;
    std::function<void(TeacherClientOptions*)> spoil;
  } cases[] = {
      {"it has another name", [](auto* o) { o->request.teacher = "clip"; }},
      {"layer is 3, must be in [0, 2]", [](auto* o) { o->request.wish.set_layer(3); }},
      {"the teacher has no projection", [](auto* o) { o->request.wish.set_projected(true); }},
      {"class tokens are asked for, and the teacher has none", [](auto* o) { o->request.wish.set_class_token(true); }},
      {"no class token to draw them by", [](auto* o) { o->request.wish.mutable_focused()->set_num_visible(2); }},
      {"channels is 4, must be 1 or the teacher's 3", [](auto* o) { o->request.image.channels = 4; }},
      {"the grid is 65x64, must have 1 to 4096 patches",
       [](auto* o) { o->request.wish.set_rows(65), o->request.wish.set_cols(64); }},
      {"height_px is 8193", [](auto* o) { o->request.image.height_px = 8193; }},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.why);
    TeacherClientOptions options = Options();
    test.spoil(&options);
    const absl::Status refused = ConnectTeacher(options, Soon()).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr(test.why), HasSubstr("the job needs {name "),
                                                      HasSubstr("weights feed (mimeo), images 3x8x8, patch_px 4")));
  }
  TeacherClientOptions options = Options();
  options.request.teacher = "clip";
  EXPECT_THAT(ConnectTeacher(options, Soon()).status().ToString(),
              AllOf(HasSubstr("{name clip, images 3x8x8, grid 2x2, layer 0"), HasSubstr("name tiny")));
}

TEST_F(TeacherWishesTest, AViewWithoutPlanNeedsATeacherThatDraws) {
  TinyTeacher teacher(Contract("a"));
  SetAddress(teacher.address());
  const auto plain = Connect(), drawing = Connect(DrawingOptions());
  ASSERT_TRUE(plain != nullptr && drawing != nullptr);
  Sent sent = MakeBatch(2, 2, 1);
  sent.views[0].plan = MaskPlan();
  const absl::Status attached = plain->Attach(sent.batch, Soon(), &sent.views);
  EXPECT_EQ(attached.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(attached.message()), HasSubstr("view 0: 0 mask plans for 1 inputs"));
  sent.batch.keys.pop_back();
  const absl::Status no_key = drawing->Attach(sent.batch, Soon(), &sent.views);
  EXPECT_EQ(no_key.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(no_key.message()), HasSubstr("1 keys for 2 images"));
  sent.views[0].view = 1;
  EXPECT_THAT(drawing->Attach(sent.batch, Soon(), &sent.views).ToString(),
              HasSubstr("is of view 1, the batch has 1 views"));
}

TEST_F(TeacherWishesTest, DrawnPatchesThatAreNoPlanAreAnErrorAtOnce) {
  using Case = std::pair<std::vector<int32_t>, const char*>;
  for (const auto& [drawn, message] : {Case{{0, 1, 2, 2}, "drew patch 2 of image 1 where 3 to 3 may come"},
                                       Case{{0, 4, 0, 1}, "drew patch 4 of image 0 where 1 to 3 may come"},
                                       Case{{-1, 2, 0, 1}, "drew patch -1 of image 0 where 0 to 3 may come"},
                                       Case{{0, 1, 3, 0}, "drew patch 0 of image 1 where 4 to 3 may come"}}) {
    SCOPED_TRACE(message);
    const std::string indices(reinterpret_cast<const char*>(drawn.data()), drawn.size() * sizeof(int32_t));
    TinyTeacher teacher(Contract("a"),
                        [&](absl::Span<const FeatureTask> tasks) -> absl::StatusOr<std::vector<std::string>> {
                          return std::vector<std::string>{indices + Label(tasks).front().substr(indices.size())};
                        });
    SetAddress(teacher.address());
    const auto source = Connect(DrawingOptions());
    ASSERT_NE(source, nullptr);
    Sent sent = MakeBatch(2, 2, 1);
    sent.views[0].plan = MaskPlan();
    const absl::Status attached = source->Attach(sent.batch, Soon(), &sent.views);
    EXPECT_EQ(attached.code(), absl::StatusCode::kDataLoss) << attached;
    EXPECT_THAT(std::string(attached.message()), HasSubstr(message));
    EXPECT_FALSE(sent.views[0].plan.visible_BK.defined());
  }
}

}  // namespace
}  // namespace mimeo::testing
