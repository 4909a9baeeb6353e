#include "evaluation/crop_pass.h"

#include <ATen/ops/equal.h>

#include <map>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/testing/status_matchers.h"
#include "evaluation/testing/counted_dataset.h"
#include "evaluation/testing/photo_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::CountedDataset;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::PhotoFolder;
using ::testing::SizeIs;
using testing::StatusIs;

// Keeps what it is shown.
class KeptCrops : public CropUse {
 public:
  explicit KeptCrops(std::vector<CropShape> shapes) : shapes_(std::move(shapes)) {}
  std::vector<CropShape> shapes() const override { return shapes_; }
  absl::Status Use(const CropBatch& batch) override {
    batches.push_back(batch);
    return status;
  }
  std::vector<int64_t> Samples() const {
    std::vector<int64_t> samples;
    for (const CropBatch& batch : batches) samples.insert(samples.end(), batch.samples.begin(), batch.samples.end());
    return samples;
  }

  std::vector<CropBatch> batches;
  absl::Status status;

 private:
  const std::vector<CropShape> shapes_;
};

// Reads of one sample are answered by a status, thrown, or wait until the test lets them go on.
class OddDataset : public Dataset {
 public:
  explicit OddDataset(const Dataset* dataset) : dataset_(dataset) {}
  absl::StatusOr<std::string> Read(int64_t sample) const override {
    if (sample == waits_at && let_go != nullptr) let_go->WaitForNotification();
    if (sample == throws_at) throw std::bad_alloc();
    if (sample == fails_at) return absl::UnavailableError("the mount is gone");
    return dataset_->Read(sample);
  }
  int64_t size() const override { return dataset_->size(); }
  const std::string& name(int64_t sample) const override { return dataset_->name(sample); }
  int label(int64_t sample) const override { return dataset_->label(sample); }
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::string& digest() const override { return dataset_->digest(); }
  const DataContents& contents() const override { return dataset_->contents(); }

  int64_t waits_at = -1, throws_at = -1, fails_at = -1;
  absl::Notification* let_go = nullptr;

 private:
  const Dataset* const dataset_;
};

TEST(CropPassTest, ShowsTheCropsOfEachImageInOrderForAnyNumberOfThreads) {
  const PhotoFolder photos;
  for (const int threads : {1, 2, 7}) {
    KeptCrops square({{3, 16, 16}}), others({{1, 8, 12}, {3, 16, 16}});
    PassOptions options;
    options.batch = 3;
    options.threads = threads;
    ASSERT_OK_AND_ASSIGN(const std::vector<LeftOut> left_out, RunPass(photos.dataset(), options, {&square, &others}));
    ASSERT_THAT(left_out, SizeIs(1));
    EXPECT_EQ(left_out[0].sample, PhotoFolder::kBroken);
    EXPECT_THAT(left_out[0].reason, HasSubstr("JPEG"));
    ASSERT_THAT(others.batches, SizeIs(2));
    EXPECT_THAT(others.batches[0].samples, ElementsAre(0, 1, 2));
    EXPECT_THAT(others.batches[0].labels, ElementsAre(0, 0, 1));
    EXPECT_THAT(others.batches[1].samples, ElementsAre(3));
    EXPECT_THAT(square.Samples(), ElementsAre(0, 1, 2, 3));
    for (const CropBatch& batch : others.batches) {
      for (size_t i = 0; i < batch.samples.size(); ++i) {
        for (const CropShape& shape : others.shapes()) {
          EXPECT_TRUE(at::equal(batch.Of(shape)[static_cast<int64_t>(i)], photos.CropOf(batch.samples[i], shape)));
        }
      }
      EXPECT_FALSE(batch.Of({3, 99, 99}).defined()) << "nobody wanted it";
    }
  }
}

TEST(CropPassTest, AnImageIsReadOnceHoweverManyUseIt) {
  const PhotoFolder photos;
  const CountedDataset counted(photos.Open());
  KeptCrops one({{3, 16, 16}}), two({{3, 16, 16}, {1, 8, 8}}), three({{3, 24, 16}});
  PassOptions options;
  options.batch = 2;
  ASSERT_OK(RunPass(counted, options, {&one, &two, &three}).status());
  EXPECT_THAT(counted.reads(), (std::map<int64_t, int>{{0, 1}, {1, 1}, {2, 1}, {3, 1}, {4, 1}}));
}

TEST(CropPassTest, TakesTheSamplesThatWereAsked) {
  const PhotoFolder photos;
  for (const std::vector<int64_t>& samples :
       {std::vector<int64_t>{1, 3}, std::vector<int64_t>{}, std::vector<int64_t>{PhotoFolder::kBroken}}) {
    KeptCrops use({{3, 16, 16}});
    PassOptions options;
    options.samples = samples;
    ASSERT_OK_AND_ASSIGN(const std::vector<LeftOut> left_out, RunPass(photos.dataset(), options, {&use}));
    if (samples.size() == 2) {
      EXPECT_THAT(use.Samples(), ElementsAre(1, 3));
      EXPECT_THAT(left_out, IsEmpty());
    } else {
      EXPECT_THAT(use.Samples(), IsEmpty());
      EXPECT_THAT(left_out, SizeIs(samples.size()));
    }
  }
}

TEST(CropPassTest, ImagesOverTheBoundAreLeftOut) {
  const PhotoFolder photos;
  KeptCrops use({{3, 16, 16}});
  PassOptions options;
  options.max_pixels = 160 * 214 - 1;  // the photo has one more
  options.samples = {1};
  EXPECT_THAT(RunPass(photos.dataset(), options, {&use}).value(), SizeIs(1));
}

// At most limits::kBatchesPrefetched batches beside the one in use: here 2 x 2 images, and not the fortieth.
TEST(CropPassTest, ReadsOnlySoFarAhead) {
  PhotoFolder photos;
  for (int i = 10; i < 50; ++i) photos.Add(absl::StrCat("c/", i, ".jpg"));
  const CountedDataset counted(photos.Open());
  class FirstBatch : public CropUse {
   public:
    explicit FirstBatch(const CountedDataset* counted) : counted_(counted) {}
    std::vector<CropShape> shapes() const override { return {{3, 16, 16}}; }
    absl::Status Use(const CropBatch&) override {
      if (++batches_ == 1) {
        EXPECT_LE(counted_->reads().size(), 2u + 2 * 2);
      }
      return absl::OkStatus();
    }

   private:
    const CountedDataset* const counted_;
    int batches_ = 0;
  } use(&counted);
  PassOptions options;
  options.batch = 2;
  options.threads = 8;
  ASSERT_OK(RunPass(counted, options, {&use}).status());
  EXPECT_THAT(counted.reads(), SizeIs(45));
}

TEST(CropPassTest, AStopEndsItBeforeTheNextUse) {
  const PhotoFolder photos;
  KeptCrops one({{3, 16, 16}}), two({{3, 16, 16}});
  PassOptions options;
  options.batch = 2;
  options.stop_wanted = [&] { return one.batches.size() == 2; };
  EXPECT_THAT(RunPass(photos.dataset(), options, {&one, &two}), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(one.batches, SizeIs(2));
  EXPECT_THAT(two.batches, SizeIs(1));
}

// A disk that does not answer: the stop is heard all the same, and the pass ends once the read does.
TEST(CropPassTest, AStopIsHeardWhileAnImageIsWaitedFor) {
  const PhotoFolder photos;
  OddDataset dataset(&photos.dataset());
  absl::Notification let_go;
  dataset.waits_at = 1;
  dataset.let_go = &let_go;
  KeptCrops use({{3, 16, 16}});
  PassOptions options;
  options.batch = 2;
  int asked = 0;
  options.stop_wanted = [&] {
    if (++asked < 3) return false;
    let_go.Notify();
    return true;
  };
  EXPECT_THAT(RunPass(dataset, options, {&use}), StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(asked, 3);
  EXPECT_THAT(use.batches, IsEmpty());
}

TEST(CropPassTest, ADataSetThatCannotBeReadIsAnErrorThatNamesTheImage) {
  const PhotoFolder photos;
  OddDataset dataset(&photos.dataset());
  KeptCrops use({{3, 16, 16}});
  dataset.fails_at = 2;
  EXPECT_THAT(RunPass(dataset, {}, {&use}),
              StatusIs(absl::StatusCode::kUnavailable, "image b/grey16.png: the mount is gone"));
  dataset.throws_at = 1;
  EXPECT_THAT(RunPass(dataset, {}, {&use}), StatusIs(absl::StatusCode::kResourceExhausted, "image a/photo.jpg: "));
  // No memory for the crops of any image.
  KeptCrops huge({{3, 1 << 30, 1 << 30}});
  EXPECT_THAT(RunPass(photos.dataset(), {}, {&huge}),
              StatusIs(absl::StatusCode::kResourceExhausted, "image a/cmyk.jpg: "));
}

TEST(CropPassTest, AnErrorOfAUseEndsIt) {
  const PhotoFolder photos;
  KeptCrops one({{3, 16, 16}}), two({{3, 16, 16}});
  one.status = absl::FailedPreconditionError("no teacher");
  EXPECT_THAT(RunPass(photos.dataset(), {}, {&one, &two}),
              StatusIs(absl::StatusCode::kFailedPrecondition, "no teacher"));
  EXPECT_THAT(two.batches, IsEmpty());
}

TEST(CropPassTest, TellsHowFarItIsAfterEachUse) {
  const PhotoFolder photos;
  KeptCrops one({{3, 16, 16}}), two({{3, 16, 16}});
  std::vector<int64_t> done;
  PassOptions options;
  options.batch = 3;
  options.progress = [&](int64_t now, int64_t of) {
    EXPECT_EQ(of, 5);
    done.push_back(now);
  };
  ASSERT_OK(RunPass(photos.dataset(), options, {&one, &two}).status());
  EXPECT_THAT(done, ElementsAre(3, 3, 5, 5));
}

TEST(CheckAnyDecodesTest, TriesImagesUntilOneIsGood) {
  const PhotoFolder photos;
  const CountedDataset counted(photos.Open());
  PassOptions options;
  EXPECT_OK(CheckAnyDecodes(counted, options));
  EXPECT_THAT(counted.reads(), SizeIs(1));
  options.samples = {PhotoFolder::kBroken};
  EXPECT_THAT(
      CheckAnyDecodes(counted, options),
      StatusIs(absl::StatusCode::kInvalidArgument, "none of its 1 images can be decoded; the first: b/text.jpg: "));
  options.stop_wanted = [] { return true; };
  EXPECT_THAT(CheckAnyDecodes(counted, options), StatusIs(absl::StatusCode::kCancelled));
  OddDataset odd(&photos.dataset());
  odd.fails_at = 0;
  EXPECT_THAT(CheckAnyDecodes(odd, {}), StatusIs(absl::StatusCode::kUnavailable, "image a/cmyk.jpg: the mount"));
}

}  // namespace
}  // namespace mimeo
