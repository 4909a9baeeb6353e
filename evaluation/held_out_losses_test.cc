#include "evaluation/held_out_losses.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <map>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "data/augment.h"
#include "evaluation/testing/photo_folder.h"
#include "evaluation/testing/small_autoencoder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/mask_plan.h"
#include "model/patches.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using testing::PhotoFolder;
using testing::SmallAutoencoder;
using testing::StatusIs;

constexpr int kVisible = 4;  // of 16

bool Never() { return false; }

// The one view under the job's mask, as training makes it.
ForwardPass MakePass(const SmallAutoencoder& model, const Batch& batch) {
  ForwardPass pass;
  pass.views.resize(1);
  pass.views[0].images_BCHW = NormalizePixels(batch.views_BCHW[0], ImageNetStatistics());
  pass.views[0].plan = DrawMaskPlans(model.spec.mask(), model.encoder->grid(), kVisible, batch.keys).front();
  return pass;
}

HeldOutLosses LossesOf(const SmallAutoencoder& model, const std::vector<FeatureSource*>& teachers,
                       const std::function<bool()>& stop_wanted) {
  const auto make_pass = [&model](const Batch& batch) { return MakePass(model, batch); };
  return HeldOutLosses(model.spec, {model.encoder.get(), model.objectives.get()}, teachers, make_pass, stop_wanted);
}

// The mean square of what is missing, by plain loops. The mask is a grid: of every 2 x 2 patches the first is seen.
double LossOf(const SmallAutoencoder& model, const at::Tensor& crop_CHW) {
  const at::NoGradGuard no_grad;
  const at::Tensor image_BCHW = NormalizePixels(crop_CHW.unsqueeze(0), ImageNetStatistics());
  const MaskPlan plan = PlanOfVisible({{0, 2, 8, 10}}, 16, kVisible);
  const at::Tensor predicted_BMP =
      model.objectives->pixel_decoder()->Predict(model.encoder->Encode(image_BCHW, plan), plan).contiguous();
  const float* predicted = predicted_BMP.const_data_ptr<float>();
  const float* pixels = image_BCHW.const_data_ptr<float>();
  double sum = 0;
  for (int patch = 0; patch < 16; ++patch) {
    const int top = patch / 4 * 4, left = patch % 4 * 4;
    if (top % 8 == 0 && left % 8 == 0) continue;
    for (int i = 0; i < 48; ++i, ++predicted) {  // row, column, and channel fastest
      const int y = top + i / 12, x = left + i / 3 % 4, channel = i % 3;
      const double missing = double{*predicted} - pixels[channel * 256 + y * 16 + x];
      sum += missing * missing;
    }
  }
  return sum / (12 * 48);
}

TEST(HeldOutLossesTest, SumTheLossOfEachImage) {
  const PhotoFolder photos;
  const SmallAutoencoder model;
  double expected = 0;
  for (int64_t sample = 0; sample < 4; ++sample) expected += LossOf(model, photos.CropOf(sample, {3, 16, 16}));
  for (const int batch : {1, 3, 32}) {
    HeldOutLosses losses = LossesOf(model, {}, Never);
    PassOptions options;
    options.batch = batch;
    ASSERT_OK(RunPass(photos.dataset(), options, {&losses}).status());
    EXPECT_EQ(losses.images(), 4);
    ASSERT_THAT(losses.sums(), ElementsAre(Pair("pixels", ::testing::_)));
    EXPECT_NEAR(losses.sums().at("pixels"), expected, 1e-4 * expected) << batch;
  }
}

// A rank whose share is empty sums the same terms as the others.
TEST(HeldOutLossesTest, WithoutImagesEveryObjectiveIsThere) {
  const PhotoFolder photos;
  const SmallAutoencoder model;
  HeldOutLosses losses = LossesOf(model, {}, Never);
  PassOptions options;
  options.samples = {PhotoFolder::kBroken};
  ASSERT_OK(RunPass(photos.dataset(), options, {&losses}).status());
  EXPECT_EQ(losses.images(), 0);
  EXPECT_THAT(losses.sums(), ElementsAre(Pair("pixels", 0)));
}

class AwayTeacher : public FeatureSource {
 public:
  absl::Status Attach(const Batch&, absl::Time, std::vector<ViewInput>*) override {
    ++asked;
    return absl::DeadlineExceededError("away");
  }
  const TeacherRequest& request() const override { return request_; }
  int width() const override { return 4; }

  int asked = 0;

 private:
  const TeacherRequest request_;
};

TEST(HeldOutLossesTest, WaitForATeacherThatIsAwayUntilAStop) {
  const PhotoFolder photos;
  const SmallAutoencoder model;
  AwayTeacher teacher;
  HeldOutLosses losses = LossesOf(model, {&teacher}, [&] { return teacher.asked > 1; });
  EXPECT_THAT(RunPass(photos.dataset(), {}, {&losses}), StatusIs(absl::StatusCode::kCancelled, "waiting for teacher"));
}

}  // namespace
}  // namespace mimeo
