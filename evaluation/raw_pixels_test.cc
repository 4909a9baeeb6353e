#include "evaluation/raw_pixels.h"

#include <vector>

#include "base/testing/status_matchers.h"
#include "evaluation/testing/photo_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using testing::PhotoFolder;

Embeddings Pixels8(const PhotoFolder& photos, int channels, const PassOptions& options) {
  RawPixels pixels(channels, /*side_px=*/8);
  EXPECT_OK(RunPass(photos.dataset(), options, {&pixels}).status());
  return pixels.Finish();
}

// `mean` and `deviation` by channel.
void ExpectNormalisedCrops(const PhotoFolder& photos, const Embeddings& found, const std::vector<double>& mean,
                           const std::vector<double>& deviation) {
  const auto channels = static_cast<int>(mean.size());
  const int width = channels * 64;
  ASSERT_EQ(found.patch_mean_ND.sizes(), at::IntArrayRef({4, width}));
  const float* values = found.patch_mean_ND.const_data_ptr<float>();
  for (int row = 0; row < 4; ++row) {
    const at::Tensor crop = photos.CropOf(found.samples[row], {channels, 8, 8});
    const auto* bytes = crop.const_data_ptr<uint8_t>();
    for (int i = 0; i < width; ++i) {
      EXPECT_NEAR(values[row * width + i], (bytes[i] / 255.0 - mean[i / 64]) / deviation[i / 64], 1e-5);
    }
  }
}

TEST(RawPixelsTest, AreTheNormalisedCrops) {
  const PhotoFolder photos;
  PassOptions options;
  options.batch = 3;
  const Embeddings found = Pixels8(photos, 3, options);
  EXPECT_THAT(found.samples, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(found.labels, ElementsAre(0, 0, 1, 1));
  EXPECT_FALSE(found.class_token_ND.defined());
  ExpectNormalisedCrops(photos, found, {0.485, 0.456, 0.406}, {0.229, 0.224, 0.225});
}

TEST(RawPixelsTest, GreyIsNormalisedByTheMeansOfColour) {
  const PhotoFolder photos;
  ExpectNormalisedCrops(photos, Pixels8(photos, 1, {}), {0.449}, {0.226});
}

TEST(RawPixelsTest, NoImagesAreZeroRows) {
  const PhotoFolder photos;
  PassOptions options;
  options.samples = {PhotoFolder::kBroken};
  EXPECT_EQ(Pixels8(photos, 3, options).patch_mean_ND.sizes(), at::IntArrayRef({0, 3 * 64}));
}

}  // namespace
}  // namespace mimeo
