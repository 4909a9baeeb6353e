#include "evaluation/reconstruction.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/testing/status_matchers.h"
#include "evaluation/testing/photo_folder.h"
#include "evaluation/testing/small_autoencoder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/mask_plan.h"
#include "model/patches.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::PhotoFolder;
using ::testing::SizeIs;
using testing::SmallAutoencoder;
using testing::StatusIs;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int kPanelPx = 16;  // as the images: a pixel of a picture is one of an image
constexpr int kStride = 3 * kPanelPx + 2 * 4;

std::unique_ptr<Reconstructor> Make(const SmallAutoencoder& model) {
  return Reconstructor::Create(model.Checkpoint(), model.spec).value();
}

// The byte of a normalised value.
int ByteOf(double value, int channel) {
  const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
  return static_cast<int>(std::clamp(std::lround((value * deviation[channel] + mean[channel]) * 255), 0l, 255l));
}

class ReconstructorTest : public ::testing::Test {
 protected:
  // The picture of a sample, compared with the image, grey, and what encoder and decoder say of it. A grid: of every
  // 2 x 2 patches the first is seen.
  void ExpectPicture(const SmallAutoencoder& model, const Pixels& picture, int64_t sample) {
    const at::NoGradGuard no_grad;
    const at::Tensor crop = photos_.CropOf(sample, {3, 16, 16});
    const at::Tensor image_BCHW = NormalizePixels(crop.unsqueeze(0), ImageNetStatistics());
    const MaskPlan plan = PlanOfVisible({{0, 2, 8, 10}}, 16, 4);
    const at::Tensor predicted_BMP =
        model.objectives->pixel_decoder()->Predict(model.encoder->Encode(image_BCHW, plan), plan).contiguous();
    const float* predicted = predicted_BMP.const_data_ptr<float>();
    const auto* bytes = crop.const_data_ptr<uint8_t>();
    ASSERT_EQ(picture.width, kStride);
    ASSERT_EQ(picture.height, kPanelPx);
    for (int patch = 0; patch < 16; ++patch) {
      const int top = patch / 4 * 4, left = patch % 4 * 4;
      const bool seen = top % 8 == 0 && left % 8 == 0;
      for (int i = 0; i < 48; ++i) {
        const int y = top + i / 12, x = left + i / 3 % 4, channel = i % 3;
        const int pixel = bytes[channel * 256 + y * 16 + x];
        const auto shown = [&](int panel) {
          return static_cast<int>(picture.rgb[(y * kStride + panel * (kPanelPx + 4) + x) * 3 + channel]);
        };
        ASSERT_EQ(shown(0), pixel);
        ASSERT_EQ(shown(1), seen ? pixel : 128);
        ASSERT_NEAR(shown(2), seen ? pixel : ByteOf(*predicted, channel), seen ? 0 : 1) << patch << " " << i;
        predicted += seen ? 0 : 1;
      }
    }
  }

  const PhotoFolder photos_;
};

TEST_F(ReconstructorTest, DrawsWhatEncoderAndDecoderSay) {
  const SmallAutoencoder model;
  const auto reconstructor = Make(model);
  for (int64_t sample = 0; sample < 4; ++sample) {
    const at::Tensor crop = photos_.CropOf(sample, {3, 16, 16});
    const std::vector<Pixels> pictures = reconstructor->Draw(crop.unsqueeze(0), {RandomKey(1)}, kPanelPx);
    ASSERT_THAT(pictures, SizeIs(1));
    ExpectPicture(model, pictures[0], sample);
  }
}

// MAE's demo: a patch that was predicted at mean 0 and deviation 1 gets the target's own.
TEST_F(ReconstructorTest, NormalisedPatchesGetTheirMeanBack) {
  JobSpec spec = testing::SmallAutoencoderSpec();
  spec.mutable_objective(0)->mutable_reconstruction()->set_normalize_patches(true);
  const SmallAutoencoder model(spec);
  NamedTensors silent = model.Checkpoint();
  for (auto& [name, tensor] : silent) {
    if (name.rfind("objective.pixels.decoder_pred", 0) == 0) tensor = tensor.detach() * 0;  // every patch is its mean
  }
  ASSERT_OK_AND_ASSIGN(const auto reconstructor, Reconstructor::Create(silent, spec));
  const at::Tensor crop = photos_.CropOf(1, {3, 16, 16});
  const Pixels picture = reconstructor->Draw(crop.unsqueeze(0), {RandomKey(1)}, kPanelPx).front();
  // The last patch is hidden. The mean is over its pixels and channels, as they are normalised.
  const at::Tensor normalised = NormalizePixels(crop.unsqueeze(0), ImageNetStatistics());
  double mean = 0;
  for (int i = 0; i < 48; ++i) {
    mean += normalised.const_data_ptr<float>()[i / 16 * 256 + (12 + i / 4 % 4) * 16 + 12 + i % 4] / 48.0;
  }
  for (int channel = 0; channel < 3; ++channel) {
    EXPECT_NEAR(picture.rgb[(15 * kStride + 2 * (kPanelPx + 4) + 15) * 3 + channel], ByteOf(mean, channel), 1);
  }
}

TEST_F(ReconstructorTest, RefusesCheckpointsThatDoNotFit) {
  const SmallAutoencoder model;
  NamedTensors tensors = model.Checkpoint();
  tensors["encoder.norm.weight"] = tensors.at("encoder.norm.weight").slice(0, 0, 3);
  at::Tensor broken = tensors.at("encoder.norm.bias").detach().clone();
  broken[2] = std::nan("");
  tensors["encoder.norm.bias"] = broken;
  tensors.erase("encoder.cls_token");
  const auto refused = Reconstructor::Create(tensors, model.spec);
  EXPECT_THAT(refused, StatusIs(kInvalid, "missing key encoder.cls_token"));
  EXPECT_THAT(refused, StatusIs(kInvalid, "key encoder.norm.weight has shape [3], should be [12]"));
  EXPECT_THAT(refused, StatusIs(kInvalid, "key encoder.norm.bias holds 1 of 12 values that are not finite"));
  JobSpec without = model.spec;
  without.mutable_objective(0)->mutable_mimic();
  EXPECT_THAT(Reconstructor::Create(model.Checkpoint(), without), StatusIs(kInvalid, "nothing predicts pixels"));
}

// Of the two classes as many each, and another image in the place of the broken one.
TEST_F(ReconstructorTest, PicturesAreSpreadOverTheClasses) {
  const SmallAutoencoder model;
  const auto reconstructor = Make(model);
  DrawOptions options;
  options.panel_px = kPanelPx;
  for (const int64_t count : {2, 4, 100}) {
    options.count = count;
    std::vector<int64_t> drawn;
    std::vector<int> classes(2, 0);
    const auto draw = [&](int64_t sample, const Pixels& picture) {
      drawn.push_back(sample);
      ++classes[photos_.dataset().label(sample)];
      ExpectPicture(model, picture, sample);
      return absl::OkStatus();
    };
    ASSERT_OK(DrawReconstructions(photos_.dataset(), *reconstructor, options, draw).status());
    EXPECT_THAT(classes, ElementsAre(count == 2 ? 1 : 2, count == 2 ? 1 : 2)) << count;
  }
}

TEST_F(ReconstructorTest, SaysWhichImagesAreLeftOutAndWhenNoneIsLeft) {
  const SmallAutoencoder model;
  const auto reconstructor = Make(model);
  const auto fail = [](int64_t, const Pixels&) { return absl::UnavailableError("the disk is full"); };
  const auto nothing = [](int64_t, const Pixels&) { return absl::OkStatus(); };
  DrawOptions options;
  options.count = 100;
  ASSERT_OK_AND_ASSIGN(const std::vector<LeftOut> left_out,
                       DrawReconstructions(photos_.dataset(), *reconstructor, options, nothing));
  ASSERT_THAT(left_out, SizeIs(1));
  EXPECT_EQ(left_out[0].sample, PhotoFolder::kBroken);
  EXPECT_THAT(DrawReconstructions(photos_.dataset(), *reconstructor, options, fail),
              StatusIs(absl::StatusCode::kUnavailable, "the disk is full"));
  JobSpec strict = model.spec;
  strict.mutable_data()->set_max_pixels(1);
  const auto blind = Reconstructor::Create(model.Checkpoint(), strict).value();
  EXPECT_THAT(DrawReconstructions(photos_.dataset(), *blind, options, nothing),
              StatusIs(kInvalid, "none of its 5 images can be decoded"));
}

}  // namespace
}  // namespace mimeo
