#include "evaluation/embedding.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <memory>
#include <vector>

#include "base/testing/status_matchers.h"
#include "evaluation/testing/photo_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/mask_plan.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::PhotoFolder;
using testing::StatusIs;

class ImageEmbedderTest : public ::testing::Test {
 protected:
  ImageEmbedderTest() : parameters_(4) {
    *spec_.mutable_vit() = testing::PlainVit(/*patch_px=*/4, /*width=*/12, /*depth=*/2, /*heads=*/3);
    encoder_ = MakeEncoder(spec_, {3, 16, 16}, &parameters_);
  }

  Embeddings Embed(const PassOptions& pass, bool tokens) {
    ImageEmbedder::Options options;
    options.tokens = tokens;
    ImageEmbedder embedder(encoder_.get(), ImageNetStatistics(), options);
    EXPECT_OK(RunPass(photos_.dataset(), pass, {&embedder}).status());
    return embedder.Finish();
  }

  const PhotoFolder photos_;
  EncoderSpec spec_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
};

TEST_F(ImageEmbedderTest, EqualsEncodingOneImageAtATime) {
  PassOptions pass;
  pass.batch = 3;
  const Embeddings found = Embed(pass, /*tokens=*/true);
  EXPECT_THAT(found.samples, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(found.labels, ElementsAre(0, 0, 1, 1));
  ASSERT_EQ(found.class_token_ND.sizes(), at::IntArrayRef({4, 12}));
  ASSERT_EQ(found.patch_tokens_NLD.sizes(), at::IntArrayRef({4, 16, 12}));
  const at::NoGradGuard no_grad;
  for (int64_t i = 0; i < 4; ++i) {
    const at::Tensor image = NormalizePixels(photos_.CropOf(i, {3, 16, 16}).unsqueeze(0), ImageNetStatistics());
    const Encoding expected = encoder_->Encode(image, AllVisible(1, 16, at::kCPU));
    EXPECT_TRUE(found.class_token_ND[i].allclose(expected.class_BD[0], 1e-5, 1e-6)) << i;
    EXPECT_TRUE(found.patch_mean_ND[i].allclose(expected.visible_BKD[0].mean(0), 1e-5, 1e-6)) << i;
    EXPECT_TRUE(found.patch_tokens_NLD[i].allclose(expected.visible_BKD[0], 1e-5, 1e-6)) << i;
  }
}

// A rank whose share is empty, or all bad, stands in the same collectives as the others, with rows of the same widths.
TEST_F(ImageEmbedderTest, NoImagesAreZeroRows) {
  for (const std::vector<int64_t>& samples : {std::vector<int64_t>{}, std::vector<int64_t>{PhotoFolder::kBroken}}) {
    PassOptions pass;
    pass.samples = samples;
    const Embeddings found = Embed(pass, /*tokens=*/true);
    EXPECT_THAT(found.samples, IsEmpty());
    EXPECT_EQ(found.class_token_ND.sizes(), at::IntArrayRef({0, 12}));
    EXPECT_EQ(found.patch_mean_ND.sizes(), at::IntArrayRef({0, 12}));
    EXPECT_EQ(found.patch_tokens_NLD.sizes(), at::IntArrayRef({0, 16, 12}));
    EXPECT_FALSE(Embed(pass, /*tokens=*/false).patch_tokens_NLD.defined());
  }
}

// Like EncoderSpec's own, but for Encode, which does what libtorch does where shapes do not fit.
class ThrowingEncoder : public Encoder {
 public:
  explicit ThrowingEncoder(const Encoder* shape) : shape_(shape) {}
  Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan&, const EncodeOptions&) const override {
    images_BCHW.mm(images_BCHW);
    return {};
  }
  const ImageShape& image() const override { return shape_->image(); }
  PatchGrid grid() const override { return shape_->grid(); }
  int width() const override { return shape_->width(); }
  int num_blocks() const override { return shape_->num_blocks(); }
  bool has_class_token() const override { return shape_->has_class_token(); }
  bool has_mask_token() const override { return shape_->has_mask_token(); }
  std::vector<double> drop_path_rates() const override { return shape_->drop_path_rates(); }

 private:
  const Encoder* const shape_;
};

TEST_F(ImageEmbedderTest, WhatLibtorchThrowsIsAStatus) {
  const ThrowingEncoder throwing(encoder_.get());
  ImageEmbedder embedder(&throwing, ImageNetStatistics(), {});
  EXPECT_THAT(RunPass(photos_.dataset(), {}, {&embedder}), StatusIs(absl::StatusCode::kAborted, "matrix"));
}

TEST_F(ImageEmbedderTest, RectanglesAndGreyAreTheEncodersOwn) {
  const PixelStatistics statistics = {{0.4f}, {0.25f}};
  Parameters parameters(7);
  const auto encoder = MakeEncoder(spec_, {1, 16, 24}, &parameters);
  ImageEmbedder embedder(encoder.get(), statistics, {});
  ASSERT_OK(RunPass(photos_.dataset(), {}, {&embedder}).status());
  const Embeddings found = embedder.Finish();
  EXPECT_THAT(found.samples, ElementsAre(0, 1, 2, 3));
  const at::NoGradGuard no_grad;
  for (int64_t i = 0; i < 4; ++i) {
    const at::Tensor image = NormalizePixels(photos_.CropOf(i, {1, 16, 24}).unsqueeze(0), statistics);
    const Encoding expected = encoder->Encode(image, AllVisible(1, 24, at::kCPU));
    EXPECT_TRUE(found.patch_mean_ND[i].allclose(expected.visible_BKD[0].mean(0), 1e-5, 1e-6)) << i;
  }
}

}  // namespace
}  // namespace mimeo
