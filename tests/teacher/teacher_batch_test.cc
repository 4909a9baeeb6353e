// What a batch asks of its teacher, and where the answers go: requests and memory, without a network.
#include "teacher/teacher_batch.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/testing/status_matchers.h"
#include "teacher/teacher_frames.h"
#include "tests/teacher/labelling_teacher.h"

namespace mimeo::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TeacherBatchTest : public ::testing::Test {
 protected:
  TeacherBatchTest() {
    request_.teacher = "tiny";
    request_.wish.set_rows(2), request_.wish.set_cols(2);
    request_.objectives = {"mimic"};
    request_.image = {3, kImagePx, kImagePx};
  }

  static FeatureGeometry Geometry(int max_images) { return GeometryOf(Contract("a", max_images)).value(); }
  absl::StatusOr<std::unique_ptr<TeacherBatch>> Make(const Sent& sent, const FeatureGeometry& geometry) const {
    return TeacherBatch::Create(request_, mask_key_, geometry, sent.batch, sent.views);
  }
  std::unique_ptr<TeacherBatch> Made(const Sent& sent) const { return Make(sent, Geometry(4)).value(); }

  // As the server does, frames and all.
  static void Answer(const TeacherStream::Slice& slice) {
    EXPECT_EQ(slice.type, TENSOR_TYPE_FLOAT32);
    FeatureRequestFrames frames(1, slice.header, slice.images, slice.choice);
    FeatureRequestAssembler assembler(Geometry(4));
    bool whole = false;
    for (FeatureRequest frame; frames.Next(&frame);) whole = assembler.Add(frame).value();
    ASSERT_TRUE(whole);
    const std::string answer = Label(assembler.Take());
    ASSERT_EQ(answer.size(), slice.drawn.size() + slice.features.size());
    std::memcpy(slice.drawn.data(), answer.data(), slice.drawn.size());
    std::memcpy(slice.features.data(), answer.data() + slice.drawn.size(), slice.features.size());
  }
  static std::vector<int> ImagesOf(const std::vector<TeacherStream::Slice>& slices) {
    std::vector<int> images;
    for (const TeacherStream::Slice& slice : slices) images.push_back(slice.header.num_images());
    return images;
  }
  static void AnswerAll(TeacherBatch* batch) {
    ASSERT_OK_AND_ASSIGN(const std::vector<TeacherStream::Slice> slices, batch->Cut(Geometry(4)));
    for (const TeacherStream::Slice& slice : slices) {
      Answer(slice);
      batch->Answered(slice.header.num_images());
    }
  }

  TeacherRequest request_;
  const TeacherBatch::MaskKey mask_key_ = [](const RandomKey& row, int view) { return row.Fold("mask").Fold(view); };
};

TEST_F(TeacherBatchTest, IsCutIntoNearlyEqualRequestsAndGoesOnWhereItWasAnswered) {
  Sent sent = MakeBatch(5, 3, 1);
  const auto batch = Made(sent);
  ASSERT_OK_AND_ASSIGN(const std::vector<TeacherStream::Slice> slices, batch->Cut(Geometry(2)));
  EXPECT_THAT(ImagesOf(slices), ElementsAre(1, 2, 2));
  Answer(slices[0]), batch->Answered(1);
  Answer(slices[1]), batch->Answered(2);
  // The teacher that comes back takes more at once.
  ASSERT_OK_AND_ASSIGN(const std::vector<TeacherStream::Slice> rest, batch->Cut(Geometry(4)));
  ASSERT_THAT(ImagesOf(rest), ElementsAre(2));
  EXPECT_EQ(rest[0].header.num_indices(), 3);
  EXPECT_EQ(rest[0].images.data(), slices[2].images.data());
  Answer(rest[0]), batch->Answered(2);
  ASSERT_OK_AND_ASSIGN(const std::vector<TeacherStream::Slice> nothing, batch->Cut(Geometry(4)));
  EXPECT_THAT(nothing, IsEmpty());
  ASSERT_OK(batch->HandOut(&sent.views));
  ExpectFeatures(sent);
}

TEST_F(TeacherBatchTest, EveryCropCarriesTheWishAndOneThatServesTwoViewsAsksForAllPatches) {
  request_.wish.set_layer(2), request_.wish.set_class_token(true);
  Sent sent = MakeBatch(3, 2, 2);
  sent.views.push_back(sent.views[0]);  // of the first crop, with the complement of its mask
  std::swap(sent.views[2].plan.visible_BK, sent.views[2].plan.hidden_BM);
  const auto batch = Made(sent);
  ASSERT_OK_AND_ASSIGN(const std::vector<TeacherStream::Slice> slices, batch->Cut(Geometry(4)));
  ASSERT_THAT(ImagesOf(slices), ElementsAre(3, 3));
  EXPECT_EQ(slices[0].header.num_indices(), 0);
  EXPECT_TRUE(slices[0].choice.empty());
  EXPECT_EQ(slices[1].header.num_indices(), 2);
  for (const TeacherStream::Slice& slice : slices) {
    EXPECT_EQ(WishKey(slice.header.wish()), WishKey(request_.wish));
    Answer(slice);
  }
  ASSERT_OK(batch->HandOut(&sent.views));
  ExpectFeatures(sent, request_);
}

TEST_F(TeacherBatchTest, KeysAreSentWhereTheTeacherDrawsAndWhatComesBackIsThePlan) {
  request_.wish.mutable_focused()->set_num_visible(2);
  Sent sent = MakeBatch(3, 2, 2);
  const MaskPlan given = sent.views[1].plan;
  sent.views[0].plan = MaskPlan();  // the second view has one
  const auto batch = Made(sent);
  ASSERT_OK_AND_ASSIGN(const std::vector<TeacherStream::Slice> slices, batch->Cut(Geometry(4)));
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_TRUE(slices[0].header.wish().has_focused());
  std::vector<RandomKey> keys;
  for (const RandomKey& row : sent.batch.keys) keys.push_back(mask_key_(row, 0));
  EXPECT_EQ(slices[0].choice, KeyBytes(keys));
  EXPECT_FALSE(slices[1].header.wish().has_focused()) << "its plan is known";
  AnswerAll(batch.get());
  ASSERT_OK(batch->HandOut(&sent.views));
  ExpectFeatures(sent);
  EXPECT_TRUE(sent.views[1].plan.visible_BK.is_same(given.visible_BK));
  sent.views.pop_back();
  ExpectDrawn(sent, 4, false);
}

TEST_F(TeacherBatchTest, TheTensorsTellBatchesApartAndNotWhatIsInThem) {
  const Sent sent = MakeBatch(2, 2, 1), same_numbers = MakeBatch(2, 2, 1);
  const auto batch = Made(sent);
  EXPECT_TRUE(batch->IsOf(sent.batch, sent.views));
  EXPECT_FALSE(batch->IsOf(same_numbers.batch, same_numbers.views));
  EXPECT_FALSE(batch->IsOf(sent.batch, same_numbers.views)) << "the same crops under other masks";
}

TEST_F(TeacherBatchTest, ATeacherThatTakesNotEvenOneImageIsAnError) {
  const Sent sent = MakeBatch(2, 2, 1);
  const auto batch = Made(sent);
  FeatureGeometry small = Geometry(4);
  small.max_request_bytes = 3 * kImagePx * kImagePx;  // the image alone
  EXPECT_THAT(batch->Cut(small).status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("must be at most")));
}

TEST_F(TeacherBatchTest, WhatIsNotTheJobsIsRefusedBeforeAnythingIsAsked) {
  const FeatureGeometry geometry = Geometry(4);
  Sent sent = MakeBatch(2, 2, 1);
  request_.image.width_px = 12;
  EXPECT_THAT(Make(sent, geometry).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("the job's are uint8 Bx3x8x12 and BxN")));
  request_.image.width_px = kImagePx;
  sent.views[0].plan = MaskPlan();
  EXPECT_THAT(Make(sent, geometry).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("teacher tiny draws none")));
  sent.views[0].view = 1;
  EXPECT_THAT(Make(sent, geometry).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("is of view 1, the batch has 1 views")));
}

}  // namespace
}  // namespace mimeo::testing
