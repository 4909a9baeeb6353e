#include "objective/reconstruction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "model/patches.h"
#include "objective/testing/small_model.h"

namespace mimeo {
namespace {

using testing::AddPixels;
using testing::ExpectGradientsAreSlopes;
using testing::Images;
using testing::kPatchPx;
using testing::kVisible;
using testing::SmallModel;
using testing::SmallModelOptions;

JobSpec Pixels(TargetView target_view, PixelDistance distance = PIXEL_DISTANCE_MSE) {
  JobSpec spec;
  ReconstructionSpec* pixels = AddPixels("pixels", 1, &spec);
  pixels->set_target_view(target_view), pixels->set_distance(distance);
  return spec;
}

// Encoding `i` against the hidden patches of `images_BCHW`.
double Against(const SmallModel& model, const ForwardPass& pass, size_t i, const at::Tensor& images_BCHW,
               bool squared = true) {
  const MaskPlan& plan = pass.views[i].plan;
  const at::Tensor target = NormalizePatches(TakePatches(Patchify(images_BCHW, kPatchPx), plan.hidden_BM));
  const at::Tensor difference = (*model.sum)->pixel_decoder()->Predict(pass.encodings[i], plan) - target;
  return (squared ? difference.square() : difference.abs()).mean().item<double>();
}

TEST(ReconstructionTest, OwnComparesWithTheViewItself) {
  const SmallModel model(Pixels(TARGET_VIEW_OWN));
  const std::vector<at::Tensor> views = {Images(2, 0), Images(2, 1)};
  const ForwardPass pass = model.Forward(views);
  EXPECT_NEAR(model.Term(pass, "pixels"), (Against(model, pass, 0, views[0]) + Against(model, pass, 1, views[1])) / 2,
              1e-12);
  EXPECT_FALSE((*model.sum)->needs().shared_target);
}

TEST(ReconstructionTest, L1IsTheMeanMagnitude) {
  const SmallModel model(Pixels(TARGET_VIEW_OWN, PIXEL_DISTANCE_L1));
  const ForwardPass pass = model.Forward({Images(2, 0)});
  EXPECT_NEAR(model.Term(pass, "pixels"), Against(model, pass, 0, Images(2, 0), /*squared=*/false), 1e-12);
}

TEST(ReconstructionTest, CrossComparesWithTheNextViewCyclically) {
  const SmallModel model(Pixels(TARGET_VIEW_CROSS));
  const std::vector<at::Tensor> views = {Images(2, 0), Images(2, 1), Images(2, 2)};
  const ForwardPass pass = model.Forward(views);
  double expected = 0;
  for (size_t v = 0; v < 3; ++v) expected += Against(model, pass, v, views[(v + 1) % 3]) / 3;
  EXPECT_NEAR(model.Term(pass, "pixels"), expected, 1e-12);
}

TEST(ReconstructionTest, CrossIsNotTheViewsOtherMask) {
  const SmallModel model(Pixels(TARGET_VIEW_CROSS));
  const std::vector<at::Tensor> views = {Images(2, 0), Images(2, 1)};
  const ForwardPass pass = model.Forward(views, /*masks=*/2);
  ASSERT_EQ(pass.views.size(), 4u);
  double expected = 0;
  for (size_t i = 0; i < 4; ++i) expected += Against(model, pass, i, views[i < 2 ? 1 : 0]) / 4;
  EXPECT_NEAR(model.Term(pass, "pixels"), expected, 1e-12);
}

TEST(ReconstructionTest, SharedComparesAllViewsWithTheSharedCrop) {
  const SmallModel model(Pixels(TARGET_VIEW_SHARED));
  EXPECT_TRUE((*model.sum)->needs().shared_target);
  ForwardPass pass = model.Forward({Images(2, 0), Images(2, 1)});
  pass.shared_BCHW = Images(2, 5);
  EXPECT_NEAR(model.Term(pass, "pixels"),
              (Against(model, pass, 0, pass.shared_BCHW) + Against(model, pass, 1, pass.shared_BCHW)) / 2, 1e-12);
}

TEST(ReconstructionDeathTest, AMissingSharedCropIsABug) {
  const SmallModel model(Pixels(TARGET_VIEW_SHARED));
  const ForwardPass pass = model.Forward({Images(2, 0)});
  EXPECT_DEATH((*model.sum)->Compute(pass), "shared_target was not met");
}

TEST(ReconstructionTest, OfTwoMasksIsTheMeanOverThem) {
  const SmallModel model(Pixels(TARGET_VIEW_OWN));
  const ForwardPass pass = model.Forward({Images(2, 0)}, /*masks=*/2);
  ASSERT_EQ(pass.views.size(), 2u);
  EXPECT_FALSE(at::equal(pass.views[0].plan.visible_BK, pass.views[1].plan.visible_BK));
  EXPECT_NEAR(model.Term(pass, "pixels"),
              (Against(model, pass, 0, Images(2, 0)) + Against(model, pass, 1, Images(2, 0))) / 2, 1e-12);
}

// What is seen is no target.
TEST(ReconstructionTest, VisiblePixelsOfTheTargetDoNotMatter) {
  const SmallModel model(Pixels(TARGET_VIEW_SHARED));
  ForwardPass pass = model.Forward({Images(1, 0)});
  pass.shared_BCHW = Images(1, 5);
  const double before = model.Term(pass, "pixels");
  const at::Tensor patches = Patchify(pass.shared_BCHW, kPatchPx).clone();
  for (int64_t k = 0; k < kVisible; ++k) patches[0][pass.views[0].plan.visible_BK[0][k].item<int64_t>()].fill_(7);
  pass.shared_BCHW = Unpatchify(patches, model.encoder->grid());
  EXPECT_EQ(model.Term(pass, "pixels"), before);
  patches[0][pass.views[0].plan.hidden_BM[0][0].item<int64_t>()][0] += 1;
  pass.shared_BCHW = Unpatchify(patches, model.encoder->grid());
  EXPECT_NE(model.Term(pass, "pixels"), before);
}

// SimMIM: the encoder's tokens of hidden patches through one linear layer, against their pixels as they are.
TEST(ReconstructionTest, LinearIsTheL1OfALayerOnTheHiddenTokensAgainstLoops) {
  JobSpec spec = Pixels(TARGET_VIEW_OWN, PIXEL_DISTANCE_L1);
  ReconstructionSpec* pixels = spec.mutable_objective(0)->mutable_reconstruction();
  pixels->set_linear(true), pixels->set_normalize_patches(false);
  SmallModelOptions options;
  options.mask_token = true;
  const SmallModel model(spec, options);
  const ForwardPass pass = model.Forward({Images(2, 0)});
  const at::Tensor weight = model.parameters.Find("objective.pixels.pred.weight").detach();
  const at::Tensor bias = model.parameters.Find("objective.pixels.pred.bias").detach();
  const at::Tensor tokens = pass.encodings[0].hidden_BMD.detach();
  double sum = 0, count = 0;
  for (int64_t b = 0; b < tokens.size(0); ++b) {
    for (int64_t m = 0; m < tokens.size(1); ++m) {
      const int64_t patch = pass.views[0].plan.hidden_BM[b][m].item<int64_t>();
      const int64_t top = patch / 4 * kPatchPx, left = patch % 4 * kPatchPx;
      for (int64_t value = 0; value < weight.size(0); ++value) {
        double predicted = bias[value].item<double>();
        for (int64_t d = 0; d < weight.size(1); ++d) {
          predicted += weight[value][d].item<double>() * tokens[b][m][d].item<double>();
        }
        const int64_t channel = value % 3, col = value / 3 % kPatchPx, row = value / 3 / kPatchPx;
        sum += std::abs(predicted - Images(2, 0)[b][channel][top + row][left + col].item<double>());
        ++count;
      }
    }
  }
  EXPECT_NEAR(model.Term(pass, "pixels"), sum / count, 1e-12);
  ExpectGradientsAreSlopes(model.parameters,
                           [&] { return (*model.sum)->Compute(model.Forward({Images(2, 0)})).total; });
}

TEST(ReconstructionTest, GradientsAgainstFiniteDifferences) {
  const SmallModel model(Pixels(TARGET_VIEW_CROSS, PIXEL_DISTANCE_L1));
  ExpectGradientsAreSlopes(model.parameters, [&] {
    return (*model.sum)->Compute(model.Forward({Images(2, 0), Images(2, 1)})).total;
  });
}

}  // namespace
}  // namespace mimeo
