#include "evaluation/teacher_features.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>

#include <memory>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "evaluation/testing/photo_folder.h"
#include "evaluation/testing/small_autoencoder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/encoder.h"
#include "model/mask_plan.h"
#include "model/testing/vit_spec.h"
#include "objective/mimic.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::PhotoFolder;
using testing::StatusIs;

// A real encoder in this process, which gives its tokens of the patches that are asked for; or one that is away.
class EncoderTeacher : public FeatureSource {
 public:
  EncoderTeacher(MimicTokens tokens, bool class_token) : parameters_(9) {
    request_.teacher = "near";
    request_.tokens = tokens;
    request_.wish.set_class_token(class_token);
    request_.objectives = {"mimic", "another"};
    EncoderSpec spec;
    *spec.mutable_vit() = testing::PlainVit(/*patch_px=*/4, /*width=*/8, /*depth=*/1, /*heads=*/2);
    encoder_ = MakeEncoder(spec, {3, 16, 16}, &parameters_);
  }

  absl::Status Attach(const Batch& batch, absl::Time, std::vector<ViewInput>* views) override {
    ++asked;
    if (away) return absl::DeadlineExceededError("away");
    const at::NoGradGuard no_grad;
    const Encoding encoding = Encode(batch.views_BCHW[0]);
    for (ViewInput& view : *views) {
      at::Tensor tokens = TakePatches(encoding.visible_BKD, MimickedPatches(view.plan, request_.tokens));
      if (request_.wish.class_token()) tokens = at::cat({encoding.class_BD.unsqueeze(1), tokens}, 1);
      view.teacher_BNT["mimic"] = tokens;
    }
    return absl::OkStatus();
  }
  const TeacherRequest& request() const override { return request_; }
  int width() const override { return encoder_->width(); }

  Encoding Encode(const at::Tensor& bytes_BCHW) const {
    return encoder_->Encode(NormalizePixels(bytes_BCHW, ImageNetStatistics()),
                            AllVisible(bytes_BCHW.size(0), 16, at::kCPU));
  }

  bool away = false;
  int asked = 0;
  TeacherRequest request_;

 private:
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
};

bool Never() { return false; }

TEST(TeacherEmbedderTest, IsTheMeanOfAllPatchesWhateverTheJobAsksOf) {
  const PhotoFolder photos;
  const at::NoGradGuard no_grad;
  for (const MimicTokens tokens : {MIMIC_TOKENS_VISIBLE, MIMIC_TOKENS_HIDDEN, MIMIC_TOKENS_ALL}) {
    for (const bool class_token : {false, true}) {
      EncoderTeacher teacher(tokens, class_token);
      TeacherEmbedder embedder(testing::SmallAutoencoderSpec(), &teacher, Never);
      EXPECT_EQ(embedder.objective(), "mimic");
      PassOptions options;
      options.batch = 3;
      ASSERT_OK(RunPass(photos.dataset(), options, {&embedder}).status());
      const Embeddings found = embedder.Finish();
      EXPECT_THAT(found.samples, ElementsAre(0, 1, 2, 3));
      EXPECT_THAT(found.labels, ElementsAre(0, 0, 1, 1));
      EXPECT_FALSE(found.class_token_ND.defined());
      for (int64_t i = 0; i < 4; ++i) {
        const Encoding expected = teacher.Encode(photos.CropOf(i, {3, 16, 16}).unsqueeze(0));
        EXPECT_TRUE(found.patch_mean_ND[i].allclose(expected.visible_BKD[0].mean(0), 1e-5, 1e-6)) << i;
      }
    }
  }
}

TEST(TeacherEmbedderTest, NoImagesAreZeroRowsAndNobodyIsAsked) {
  const PhotoFolder photos;
  EncoderTeacher teacher(MIMIC_TOKENS_ALL, false);
  TeacherEmbedder embedder(testing::SmallAutoencoderSpec(), &teacher, Never);
  PassOptions options;
  options.samples = {PhotoFolder::kBroken};
  ASSERT_OK(RunPass(photos.dataset(), options, {&embedder}).status());
  EXPECT_EQ(embedder.Finish().patch_mean_ND.sizes(), at::IntArrayRef({0, 8}));
  EXPECT_EQ(teacher.asked, 0);
}

TEST(TeacherEmbedderTest, WaitsForATeacherThatIsAwayUntilAStop) {
  const PhotoFolder photos;
  EncoderTeacher teacher(MIMIC_TOKENS_ALL, false);
  teacher.away = true;
  TeacherEmbedder embedder(testing::SmallAutoencoderSpec(), &teacher, [&] { return teacher.asked > 2; });
  EXPECT_THAT(RunPass(photos.dataset(), {}, {&embedder}),
              StatusIs(absl::StatusCode::kCancelled, "told to stop while waiting for teacher near"));
  EXPECT_EQ(teacher.asked, 3);
}

TEST(TeacherEmbedderTest, OneThatDrawsMasksOrServesNoObjectiveIsNotAsked) {
  EncoderTeacher teacher(MIMIC_TOKENS_ALL, false);
  EXPECT_TRUE(TeacherEmbedder::CanEmbed(teacher));
  teacher.request_.wish.mutable_focused();
  EXPECT_FALSE(TeacherEmbedder::CanEmbed(teacher));
  teacher.request_.wish.clear_focused();
  teacher.request_.objectives.clear();
  EXPECT_FALSE(TeacherEmbedder::CanEmbed(teacher));
}

}  // namespace
}  // namespace mimeo
