#include "evaluation/labelled_features.h"

#include <ATen/ops/equal.h>

#include <map>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "evaluation/crop_pass.h"
#include "evaluation/raw_pixels.h"
#include "evaluation/testing/counted_dataset.h"
#include "evaluation/testing/photo_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "model/testing/vit_spec.h"
#include "model/weights.h"

namespace mimeo {
namespace {

using testing::CountedDataset;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using testing::PhotoFolder;
using ::testing::SizeIs;
using testing::StatusIs;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

LoadedEncoder SmallEncoder(int image_px = 16) {
  LoadedEncoder loaded;
  *loaded.spec.mutable_vit() = testing::PlainVit(/*patch_px=*/4, /*width=*/12, /*depth=*/1, /*heads=*/3);
  loaded.image = {3, image_px, image_px};
  loaded.statistics = ImageNetStatistics();
  loaded.parameters = std::make_shared<Parameters>(3);
  loaded.encoder = MakeEncoder(loaded.spec, loaded.image, loaded.parameters.get());
  return loaded;
}

std::vector<MeasuredEncoder> Measured(const LoadedEncoder& loaded) {
  return {{loaded.encoder.get(), loaded.statistics}};
}

LabelledSet SetOf(const std::string& name, std::unique_ptr<Dataset> dataset, std::vector<int64_t> samples) {
  LabelledSet set;
  set.name = name;
  set.dataset = std::move(dataset);
  set.samples = std::move(samples);
  return set;
}

TEST(LabelledFeaturesTest, EncoderAndPixelsAreMeasuredOnOneReadingOfEachImage) {
  PhotoFolder photos;
  const LoadedEncoder loaded = SmallEncoder();
  auto counted = std::make_unique<CountedDataset>(photos.Open());
  const CountedDataset& bank_reads = *counted;
  const LabelledSet bank = SetOf("--bank", std::move(counted), {0, 1, 2, 4});
  const LabelledSet query = SetOf("--data", photos.Open(), {1, 3});
  std::vector<int64_t> told;
  LabelledOptions options;
  options.batch = 3;
  options.query_progress = [&](int64_t done, int64_t of) {
    EXPECT_EQ(of, 2);
    told.push_back(done);
  };
  ASSERT_OK_AND_ASSIGN(const LabelledFeatures features, EmbedLabelled(Measured(loaded), bank, query, options));
  EXPECT_THAT(bank_reads.reads(), ElementsAre(Pair(0, 1), Pair(1, 1), Pair(2, 1), Pair(4, 1)));
  EXPECT_THAT(told, ElementsAre(2, 2)) << "after the encoder, and after the pixels";

  ImageEmbedder embedder(loaded.encoder.get(), loaded.statistics, {});
  RawPixels pixels(3);
  PassOptions pass;
  pass.samples = bank.samples;
  pass.batch = options.batch;
  ASSERT_OK(RunPass(photos.dataset(), pass, {&embedder}));
  ASSERT_OK(RunPass(photos.dataset(), pass, {&pixels}));
  EXPECT_TRUE(at::equal(features.encoders[0].bank.patch_mean_ND, embedder.Finish().patch_mean_ND));
  EXPECT_TRUE(at::equal(features.raw_pixels.bank.patch_mean_ND, pixels.Finish().patch_mean_ND));
  EXPECT_THAT(features.encoders[0].bank_names, ElementsAre("a/cmyk.jpg", "a/photo.jpg", "b/grey16.png"));
  EXPECT_THAT(features.encoders[0].bank.labels, ElementsAre(0, 0, 1));
  EXPECT_THAT(features.raw_pixels.query.samples, ElementsAre(1, 3));
}

// Each encoder has its own size of crops; they look at the same images, and an image is read once for all of them.
TEST(LabelledFeaturesTest, EncodersOfOtherSizesLookAtTheSameImages) {
  PhotoFolder photos;
  const LoadedEncoder small = SmallEncoder(16), large = SmallEncoder(32);
  auto counted = std::make_unique<CountedDataset>(photos.Open());
  const CountedDataset& reads = *counted;
  const LabelledSet bank = SetOf("--bank", std::move(counted), {0, 1, 2, 3});
  const LabelledSet query = SetOf("--data", photos.Open(), {0, PhotoFolder::kBroken});
  ASSERT_OK_AND_ASSIGN(const LabelledFeatures features,
                       EmbedLabelled({{small.encoder.get(), small.statistics}, {large.encoder.get(), large.statistics}},
                                     bank, query, {}));
  ASSERT_THAT(features.encoders, SizeIs(2));
  EXPECT_EQ(reads.reads().at(0), 1);
  EXPECT_EQ(features.encoders[0].bank.samples, features.encoders[1].bank.samples);
  EXPECT_FALSE(at::equal(features.encoders[0].bank.patch_mean_ND, features.encoders[1].bank.patch_mean_ND));
  EXPECT_EQ(features.query.images, 1);
  EXPECT_EQ(features.query.undecodable.count(), 1);
  EXPECT_THAT(features.query.undecodable.names(0), HasSubstr("b/text.jpg: "));
  EXPECT_EQ(features.bank.undecodable.count(), 0);
}

// A query set that lacks a class of the bank's numbers its own differently.
TEST(LabelledFeaturesTest, QueriesAreNumberedAsTheBank) {
  PhotoFolder bank_photos, query_photos;
  query_photos.Add("B/upper.jpg");
  const LabelledSet bank = SetOf("--bank", bank_photos.Open(), {0, 2});
  const LabelledSet query = SetOf("--data", query_photos.Open(), {0, 1, 3});  // of the classes B, a and b
  const LoadedEncoder loaded = SmallEncoder();
  ASSERT_OK_AND_ASSIGN(const LabelledFeatures features, EmbedLabelled(Measured(loaded), bank, query, {}));
  EXPECT_THAT(features.encoders[0].query.labels, ElementsAre(2, 0, 1)) << "B is a class that the bank lacks";
  EXPECT_EQ(features.class_names[2], "B");
  ASSERT_THAT(features.notes, SizeIs(1));
  EXPECT_THAT(features.notes[0], HasSubstr("classes that --bank does not have"));
}

TEST(LabelledFeaturesTest, RefusesASetThatCannotBeMeasured) {
  PhotoFolder photos;
  const LoadedEncoder loaded = SmallEncoder();
  const LabelledSet good = SetOf("--data", photos.Open(), {0, 2});
  EXPECT_THAT(EmbedLabelled(Measured(loaded), SetOf("--bank", photos.Open(), {}), good, {}),
              StatusIs(kInvalid, "--bank"));
  EXPECT_THAT(EmbedLabelled(Measured(loaded), SetOf("--bank", photos.Open(), {PhotoFolder::kBroken}), good, {}),
              StatusIs(kInvalid, "--bank: none of its 1 images can be decoded; the first: b/text.jpg: "));
}

TEST(OpenLabelledSetTest, TakesImagesWithALabelSpreadOverTheClasses) {
  PhotoFolder photos;
  photos.Add("unlabelled.jpg");
  ASSERT_OK_AND_ASSIGN(const LabelledSet all, OpenLabelledSet("--data", photos.path(), 0));
  EXPECT_THAT(all.samples, SizeIs(5));
  EXPECT_EQ(all.unlabelled, 1);
  ASSERT_OK_AND_ASSIGN(const LabelledSet two, OpenLabelledSet("--data", photos.path(), 2));
  ASSERT_THAT(two.samples, SizeIs(2));
  EXPECT_NE(two.dataset->label(two.samples[0]), two.dataset->label(two.samples[1]));
}

}  // namespace
}  // namespace mimeo
