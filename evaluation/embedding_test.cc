#include "evaluation/embedding.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/random_key.h"
#include "base/testing/status_matchers.h"
#include "data/augment.h"
#include "data/decode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/mask_plan.h"
#include "model/testing/vit_spec.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::StatusIs;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

class EmbedImagesTest : public ::testing::Test {
 protected:
  EmbedImagesTest() : parameters_(4) {
    *spec_.mutable_vit() = testing::PlainVit(/*patch_px=*/4, /*width=*/12, /*depth=*/2, /*heads=*/3);
    encoder_ = MakeEncoder(spec_, {3, 16, 16}, &parameters_);
  }

  void SetUp() override {
    for (int i = 0; i < 5; ++i) {
      Pixels pixels{20 + i, 24, {}};
      for (int j = 0; j < pixels.width * 24 * 3; ++j) pixels.rgb.push_back(static_cast<uint8_t>(i * 50 + j * 3));
      Write(absl::StrCat(i % 2 ? "odd/" : "even/", i, ".png"), EncodePng(pixels));
    }
    Write("odd/broken.jpg", "text");
    dataset_ = Dataset::Open(dir_.path()).value();
  }

  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_OK(MakeDirs(JoinPath(dir_.path(), name.substr(0, name.find('/')))));
    ASSERT_OK(WriteFileAtomic(JoinPath(dir_.path(), name), bytes));
  }

  at::Tensor View(int64_t sample, const CropShape& shape) const {
    return EvaluationCrop(DecodeImage(dataset_->Read(sample).value(), 100000).value(), shape);
  }

  TempDir dir_;
  EncoderSpec spec_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
  std::unique_ptr<Dataset> dataset_;
};

TEST_F(EmbedImagesTest, EqualsEncodingOneImageAtATime) {
  EmbedOptions options;
  options.image = {3, 16, 16};
  options.batch = 2;
  options.tokens = true;
  int64_t last_done = 0;
  options.progress = [&](int64_t done, int64_t of) {
    EXPECT_GT(done, last_done);
    EXPECT_EQ(of, 6);
    last_done = done;
  };
  ASSERT_OK_AND_ASSIGN(const Embeddings found, EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), options));
  EXPECT_EQ(last_done, 6);
  EXPECT_THAT(found.samples, ElementsAre(0, 1, 2, 3, 4));  // even/0 2 4, odd/1 3; odd/broken is left out
  EXPECT_THAT(found.labels, ElementsAre(0, 0, 0, 1, 1));
  ASSERT_EQ(found.class_token_ND.sizes(), at::IntArrayRef({5, 12}));
  ASSERT_EQ(found.patch_tokens_NLD.sizes(), at::IntArrayRef({5, 16, 12}));
  for (int64_t i = 0; i < 5; ++i) {
    const at::Tensor image = NormalizePixels(View(i, {3, 16, 16}).unsqueeze(0), ImageNetStatistics());
    const Encoding expected = encoder_->Encode(image, AllVisible(1, 16, at::kCPU));
    EXPECT_TRUE(found.class_token_ND[i].allclose(expected.class_BD[0], 1e-5, 1e-6)) << i;
    EXPECT_TRUE(found.patch_mean_ND[i].allclose(expected.visible_BKD[0].mean(0), 1e-5, 1e-6)) << i;
    EXPECT_TRUE(found.patch_tokens_NLD[i].allclose(expected.visible_BKD[0], 1e-5, 1e-6)) << i;
  }
}

TEST_F(EmbedImagesTest, TakesTheSamplesThatWereAsked) {
  EmbedOptions options;
  options.image = {3, 16, 16};
  options.samples = {1, 3};
  ASSERT_OK_AND_ASSIGN(const Embeddings found, EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), options));
  EXPECT_THAT(found.samples, ElementsAre(1, 3));
  EXPECT_THAT(found.labels, ElementsAre(0, 1));
  EXPECT_FALSE(found.patch_tokens_NLD.defined());
}

// A rank whose share is empty, or all bad, stands in the same collectives as the others, with rows of the same widths.
TEST_F(EmbedImagesTest, NoImagesAreZeroRowsAndNoError) {
  EmbedOptions options;
  options.image = {3, 16, 16};
  options.tokens = true;
  for (const std::vector<int64_t>& samples : {std::vector<int64_t>{}, std::vector<int64_t>{5}}) {
    options.samples = samples;
    ASSERT_OK_AND_ASSIGN(const Embeddings found, EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), options));
    EXPECT_THAT(found.samples, IsEmpty());
    EXPECT_THAT(found.left_out, SizeIs(samples.size()));
    EXPECT_EQ(found.class_token_ND.sizes(), at::IntArrayRef({0, 12}));
    EXPECT_EQ(found.patch_mean_ND.sizes(), at::IntArrayRef({0, 12}));
    EXPECT_EQ(found.patch_tokens_NLD.sizes(), at::IntArrayRef({0, 16, 12}));
    ASSERT_OK_AND_ASSIGN(const Embeddings raw, RawPixelFeatures(*dataset_, 8, options));
    EXPECT_EQ(raw.patch_mean_ND.sizes(), at::IntArrayRef({0, 3 * 64}));
    EXPECT_THAT(CheckAnyRow("--images=photos", found),
                StatusIs(kInvalid, absl::StrCat("--images=photos: none of its ", samples.size(), " images")));
  }
}

TEST_F(EmbedImagesTest, BadImagesAreLeftOutWithTheirReasons) {
  EmbedOptions options;
  options.image = {3, 16, 16};
  ASSERT_OK_AND_ASSIGN(const Embeddings found, EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), options));
  ASSERT_THAT(found.left_out, SizeIs(1));
  EXPECT_EQ(found.left_out[0].sample, 5);
  EXPECT_THAT(found.left_out[0].reason, HasSubstr("JPEG"));
  EXPECT_OK(CheckAnyRow("x", found));
}

TEST_F(EmbedImagesTest, AStopEndsItBeforeTheNextBatch) {
  EmbedOptions options;
  options.image = {3, 16, 16};
  options.batch = 2;
  int64_t done = 0;
  options.progress = [&](int64_t now, int64_t) { done = now; };
  options.stop_wanted = [&] { return done >= 2; };
  EXPECT_THAT(EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), options), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(done, 2);
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

TEST_F(EmbedImagesTest, WhatLibtorchThrowsIsAStatus) {
  EmbedOptions options;
  options.image = {3, 16, 16};
  EXPECT_THAT(EmbedImages(*dataset_, ThrowingEncoder(encoder_.get()), ImageNetStatistics(), options),
              StatusIs(absl::StatusCode::kAborted, "matrix"));
  // No memory for the crops of any image.
  EXPECT_THAT(RawPixelFeatures(*dataset_, 1 << 30, options),
              StatusIs(absl::StatusCode::kResourceExhausted, "image even/0.png: "));
}

TEST_F(EmbedImagesTest, RefusesAnotherImageSize) {
  EXPECT_THAT(EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), {}), StatusIs(kInvalid, "looks at 16 px"));
  EmbedOptions options;
  for (const ImageShape& other : {ImageShape{1, 16, 16}, ImageShape{3, 16, 24}, ImageShape{3, 24, 16}}) {
    options.image = other;
    EXPECT_THAT(EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), options), StatusIs(kInvalid, "looks at 16 px"));
  }
  EXPECT_THAT(EmbedImages(*dataset_, *encoder_, ImageNetStatistics(), options),
              StatusIs(kInvalid, "image size: 24 x 16 px"));
}

TEST_F(EmbedImagesTest, RectanglesAndGreyAreTheEncodersOwn) {
  const PixelStatistics statistics = {{0.4f}, {0.25f}};
  const ImageShape image{1, 16, 24};
  Parameters parameters(7);
  const auto encoder = MakeEncoder(spec_, image, &parameters);
  EmbedOptions options;
  options.image = image;
  ASSERT_OK_AND_ASSIGN(const Embeddings found, EmbedImages(*dataset_, *encoder, statistics, options));
  EXPECT_THAT(found.samples, ElementsAre(0, 1, 2, 3, 4));
  for (int64_t i = 0; i < 5; ++i) {
    const at::Tensor crop = NormalizePixels(View(i, {1, 16, 24}).unsqueeze(0), statistics);
    const Encoding expected = encoder->Encode(crop, AllVisible(1, 24, at::kCPU));
    EXPECT_TRUE(found.patch_mean_ND[i].allclose(expected.visible_BKD[0].mean(0), 1e-5, 1e-6)) << i;
  }
  ASSERT_OK_AND_ASSIGN(const Embeddings raw, RawPixelFeatures(*dataset_, 8, options));
  ASSERT_EQ(raw.patch_mean_ND.sizes(), at::IntArrayRef({5, 64}));
  const at::Tensor view = View(2, {1, 8, 8});
  for (int i = 0; i < 64; ++i) {
    const double value = (view.const_data_ptr<uint8_t>()[i] / 255.0 - 0.449) / 0.226;
    EXPECT_NEAR(raw.patch_mean_ND.const_data_ptr<float>()[2 * 64 + i], value, 1e-5);
  }
}

TEST_F(EmbedImagesTest, RawPixelsAreTheNormalisedCrop) {
  EmbedOptions options;
  options.max_pixels = 20 * 24;  // the first image alone
  ASSERT_OK_AND_ASSIGN(const Embeddings found, RawPixelFeatures(*dataset_, 8, options));
  EXPECT_THAT(found.samples, ElementsAre(0));
  EXPECT_FALSE(found.class_token_ND.defined());
  const at::Tensor view = View(0, {3, 8, 8});
  const auto* bytes = view.const_data_ptr<uint8_t>();
  const float* row = found.patch_mean_ND.const_data_ptr<float>();
  const double mean[] = {0.485, 0.456, 0.406};
  const double deviation[] = {0.229, 0.224, 0.225};
  ASSERT_EQ(found.patch_mean_ND.size(1), 3 * 64);
  for (int i = 0; i < 3 * 64; ++i) EXPECT_NEAR(row[i], (bytes[i] / 255.0 - mean[i / 64]) / deviation[i / 64], 1e-5);
}

}  // namespace
}  // namespace mimeo
