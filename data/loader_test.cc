#include "data/loader.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <new>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "data/augment.h"
#include "data/color.h"
#include "data/decode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

// The bytes of everything in a batch that training sees.
std::string BytesOf(const Batch& batch) {
  std::string bytes;
  for (const int64_t id : batch.sample_ids) absl::StrAppend(&bytes, id, ",");
  for (const RandomKey& key : batch.keys) absl::StrAppend(&bytes, key.Bits(0), ",");
  for (const at::Tensor& view : batch.views_BCHW) {
    bytes.append(static_cast<const char*>(view.data_ptr()), view.numel());
  }
  const at::Tensor& shared = batch.shared_BCHW;
  if (shared.defined()) bytes.append(static_cast<const char*>(shared.data_ptr()), shared.numel());
  return bytes;
}

class LoaderTest : public ::testing::Test {
 protected:
  // Small images whose pixels tell them apart.
  void WriteImages(int count) {
    for (int i = 0; i < count; ++i) {
      Pixels pixels{12 + i % 3, 10, {}};
      for (int j = 0; j < pixels.width * 10 * 3; ++j) pixels.rgb.push_back(static_cast<uint8_t>(i * 37 + j * 5));
      Write(Name(i), EncodePng(pixels));
    }
  }
  static std::string Name(int i) { return absl::StrCat("photo", 100 + i, ".png"); }
  void Write(const std::string& name, const std::string& bytes) {
    ASSERT_OK(WriteFileAtomic(JoinPath(dir_.path(), name), bytes));
  }

  void SetUp() override {
    spec_.set_seed(3);
    spec_.mutable_data()->set_global_batch(8);
    spec_.mutable_data()->set_image_px(6);
    spec_.mutable_data()->set_image_width_px(6);
    spec_.mutable_data()->set_channels(3);
    spec_.mutable_data()->set_max_bad_samples(5);
    spec_.mutable_data()->set_max_pixels(10000);
    spec_.mutable_data()->set_loader_threads(1);
    ViewSpec* views = spec_.add_views();
    views->set_count(1);
    views->set_image_px(6);
    views->set_image_width_px(6);
    views->set_crop_scale_min(0.2);
    views->set_crop_scale_max(1);
    views->set_crop_ratio_min(0.75);
    views->set_crop_ratio_max(4.0 / 3);
    views->set_flip_probability(0.5);
  }

  void SetWidth(int px) {
    spec_.mutable_data()->set_image_width_px(px);
    spec_.mutable_views(0)->set_image_width_px(px);
  }

  // Like the first group, but smaller and with every change of colour.
  void AddSmallColoredViews(int count) {
    ViewSpec* small = spec_.add_views();
    *small = spec_.views(0);
    small->set_count(count);
    small->set_image_px(4);
    small->set_image_width_px(5);
    ColorSpec* color = small->mutable_color();
    color->set_brightness(0.4), color->set_contrast(0.4), color->set_saturation(0.2), color->set_hue(0.1);
    color->set_jitter_probability(0.8);
    color->set_grey_probability(0.2);
    color->set_blur_probability(0.5), color->set_blur_sigma_min(0.1), color->set_blur_sigma_max(2),
        color->set_blur_kernel_px(3);
    color->set_solarize_probability(0.5), color->set_solarize_threshold(128);
  }

  void OpenDataset() {
    auto opened = Dataset::Open(dir_.path());
    ASSERT_OK(opened);
    dataset_ = std::move(*opened);
  }

  std::unique_ptr<Loader> Open(const Loader::Options& options) {
    auto loader = Loader::Open(dataset_.get(), spec_, options);
    EXPECT_OK(loader);
    return loader.ok() ? std::move(*loader) : nullptr;
  }

  // Of a gang whose ranks hold at most `micro_batch` images at once.
  Loader::Options Rank(int rank, int num_ranks, int64_t micro_batch, int64_t steps) {
    spec_.mutable_resources()->set_micro_batch(micro_batch);
    Loader::Options options;
    options.rank = rank;
    options.num_ranks = num_ranks;
    options.last_step_batches = steps;
    return options;
  }

  std::vector<Batch> All(const Loader::Options& options) {
    std::vector<Batch> batches;
    const auto loader = Open(options);
    for (;;) {
      auto batch = loader->Next();
      if (!batch.ok()) {
        EXPECT_THAT(batch, StatusIs(absl::StatusCode::kOutOfRange));
        return batches;
      }
      batches.push_back(std::move(*batch));
    }
  }

  TempDir dir_;
  JobSpec spec_;
  std::unique_ptr<Dataset> dataset_;
};

TEST_F(LoaderTest, RowsAreTheEpochsOrderCroppedByTheirKeys) {
  WriteImages(20);
  OpenDataset();
  const std::vector<Batch> batches = All(Rank(0, 1, 8, 4));
  ASSERT_EQ(batches.size(), 4u);  // two epochs of floor(20 / 8) steps
  for (int step = 0; step < 4; ++step) {
    const int64_t epoch = step / 2;
    const std::vector<int64_t> order = EpochOrder(3, epoch, 20);
    ASSERT_EQ(batches[step].views_BCHW[0].sizes(), at::IntArrayRef({8, 3, 6, 6}));
    for (int row = 0; row < 8; ++row) {
      const int64_t sample = order[step % 2 * 8 + row];
      EXPECT_EQ(batches[step].sample_ids[row], sample);
      const RandomKey key = RandomKey(3).Fold("sample").Fold(epoch).Fold(sample);
      EXPECT_TRUE(batches[step].keys[row] == key);
      const std::string encoded = dataset_->Read(sample).value();
      const CropPlan plan =
          RandomCropPlan(ReadImageSize(encoded).value(), spec_.views(0), key.Fold("crop").Fold(uint64_t{0}));
      const at::Tensor expected = ResizeCrop(DecodeCrop(encoded, plan.crop, 10000).value(), {3, 6, 6}, plan.flip);
      const auto* bytes = static_cast<const uint8_t*>(batches[step].views_BCHW[0].data_ptr()) + row * 3 * 6 * 6;
      EXPECT_EQ(std::memcmp(bytes, expected.data_ptr(), 3 * 6 * 6), 0);
    }
  }
}

TEST_F(LoaderTest, AViewIsResizedAsItSays) {
  WriteImages(8);
  OpenDataset();
  spec_.mutable_views(0)->set_interpolation(INTERPOLATION_BILINEAR);
  const std::vector<Batch> batches = All(Rank(0, 1, 8, 1));
  int as_bicubic = 0;
  for (int row = 0; row < 8; ++row) {
    const int64_t sample = batches[0].sample_ids[row];
    const RandomKey key = RandomKey(3).Fold("sample").Fold(uint64_t{0}).Fold(sample).Fold("crop").Fold(uint64_t{0});
    const std::string encoded = dataset_->Read(sample).value();
    const CropPlan plan = RandomCropPlan(ReadImageSize(encoded).value(), spec_.views(0), key);
    const Pixels crop = DecodeCrop(encoded, plan.crop, 10000).value();
    const auto* bytes = static_cast<const uint8_t*>(batches[0].views_BCHW[0].data_ptr()) + row * 3 * 6 * 6;
    const at::Tensor bilinear = ResizeCrop(crop, {3, 6, 6}, plan.flip, INTERPOLATION_BILINEAR);
    EXPECT_EQ(std::memcmp(bytes, bilinear.data_ptr(), 3 * 6 * 6), 0) << row;
    as_bicubic += std::memcmp(bytes, ResizeCrop(crop, {3, 6, 6}, plan.flip).data_ptr(), 3 * 6 * 6) == 0 ? 1 : 0;
  }
  EXPECT_LT(as_bicubic, 8);
}

TEST_F(LoaderTest, ThreadsChangeNothing) {
  WriteImages(20);
  Write(Name(4), "not an image");
  OpenDataset();
  std::vector<std::string> expected;
  for (const int threads : {1, 2, 4}) {
    spec_.mutable_data()->set_loader_threads(threads);
    std::vector<std::string> found;
    for (const Batch& batch : All(Rank(0, 1, 8, 6))) found.push_back(BytesOf(batch));
    if (expected.empty()) expected = found;
    EXPECT_EQ(found.size(), 6u);
    EXPECT_TRUE(found == expected) << threads;
  }
}

TEST_F(LoaderTest, ResumesInTheMiddleOfAnEpochAsIfNothingHappened) {
  WriteImages(30);
  Write(Name(7), "");
  OpenDataset();
  const std::vector<Batch> whole = All(Rank(0, 1, 8, 7));
  ASSERT_EQ(whole.size(), 7u);
  for (int stop = 1; stop < 7; ++stop) {
    Loader::Options options = Rank(0, 1, 8, 7);
    options.start = whole[stop - 1].next;
    const std::vector<Batch> rest = All(options);
    ASSERT_EQ(rest.size(), 7u - stop);
    for (size_t i = 0; i < rest.size(); ++i) {
      EXPECT_TRUE(BytesOf(rest[i]) == BytesOf(whole[stop + i])) << stop << " " << i;
    }
  }
}

TEST_F(LoaderTest, SlicesOfRanksAndMicroBatchesJoinToTheGlobalBatch) {
  WriteImages(20);
  Write(Name(11), "text");
  OpenDataset();
  const std::vector<Batch> whole = All(Rank(0, 1, 8, 4));
  for (const auto& [num_ranks, micro_batch] : std::vector<std::pair<int, int>>{{2, 4}, {4, 2}, {2, 2}, {1, 2}}) {
    std::vector<std::vector<Batch>> ranks;
    for (int rank = 0; rank < num_ranks; ++rank) ranks.push_back(All(Rank(rank, num_ranks, micro_batch, 4)));
    const int micro_batches = 8 / (num_ranks * micro_batch);
    for (int step = 0; step < 4; ++step) {
      std::vector<int64_t> ids;
      std::string pixels;
      for (int micro = 0; micro < micro_batches; ++micro) {
        for (int rank = 0; rank < num_ranks; ++rank) {
          const Batch& slice = ranks[rank][step * micro_batches + micro];
          ids.insert(ids.end(), slice.sample_ids.begin(), slice.sample_ids.end());
          pixels.append(static_cast<const char*>(slice.views_BCHW[0].data_ptr()), slice.views_BCHW[0].numel());
          // Before a step's last micro-batch a resume would start with the same step.
          EXPECT_EQ(slice.next.epoch() * 2 + slice.next.batch(), step + (micro + 1 == micro_batches ? 1 : 0));
        }
      }
      EXPECT_EQ(ids, whole[step].sample_ids);
      EXPECT_EQ(pixels, std::string(static_cast<const char*>(whole[step].views_BCHW[0].data_ptr()), pixels.size()));
    }
  }
}

TEST_F(LoaderTest, ViewsAreIndependentCropsOfTheSameSample) {
  WriteImages(8);
  spec_.mutable_views(0)->set_count(2);
  OpenDataset();
  const Batch two = All(Rank(0, 1, 8, 1))[0];
  spec_.mutable_views(0)->set_count(1);
  const Batch one = All(Rank(0, 1, 8, 1))[0];
  ASSERT_EQ(two.views_BCHW.size(), 2u);
  // View 0 does not depend on how many there are, though both are cut from one decode.
  EXPECT_TRUE(two.views_BCHW[0].equal(one.views_BCHW[0]));
  EXPECT_FALSE(two.views_BCHW[0].equal(two.views_BCHW[1]));
}

TEST_F(LoaderTest, ViewsHaveTheHeightWidthAndChannelsOfTheJob) {
  WriteImages(8);
  SetWidth(10);
  spec_.mutable_data()->set_channels(1);
  spec_.mutable_views(0)->set_count(2);
  OpenDataset();
  const Batch batch = All(Rank(0, 1, 8, 1))[0];
  for (int view = 0; view < 2; ++view) {
    ASSERT_EQ(batch.views_BCHW[view].sizes(), at::IntArrayRef({8, 1, 6, 10}));
    for (int row = 0; row < 8; ++row) {
      const std::string encoded = dataset_->Read(batch.sample_ids[row]).value();
      const RandomKey key = batch.keys[row].Fold("crop").Fold(static_cast<uint64_t>(view));
      const CropPlan plan = RandomCropPlan(ReadImageSize(encoded).value(), spec_.views(0), key);
      const at::Tensor expected = ResizeCrop(DecodeCrop(encoded, plan.crop, 10000).value(), {1, 6, 10}, plan.flip);
      EXPECT_TRUE(batch.views_BCHW[view][row].equal(expected));
    }
  }
  EXPECT_FALSE(batch.shared_BCHW.defined());
}

TEST_F(LoaderTest, EveryViewHasItsGroupsSizeAndColours) {
  WriteImages(8);
  spec_.mutable_views(0)->set_count(2);
  OpenDataset();
  const Batch before = All(Rank(0, 1, 8, 1))[0];
  AddSmallColoredViews(3);
  const Batch batch = All(Rank(0, 1, 8, 1))[0];
  ASSERT_EQ(batch.views_BCHW.size(), 5u);
  for (int view = 0; view < 2; ++view) {
    EXPECT_TRUE(batch.views_BCHW[view].equal(before.views_BCHW[view])) << "as without the others";
  }
  int changed = 0;
  for (int view = 2; view < 5; ++view) {
    ASSERT_EQ(batch.views_BCHW[view].sizes(), at::IntArrayRef({8, 3, 4, 5}));
    for (int row = 0; row < 8; ++row) {
      const std::string encoded = dataset_->Read(batch.sample_ids[row]).value();
      const RandomKey key = batch.keys[row].Fold("crop").Fold(static_cast<uint64_t>(view));
      const CropPlan plan = RandomCropPlan(ReadImageSize(encoded).value(), spec_.views(1), key);
      at::Tensor expected = ResizeCrop(DecodeCrop(encoded, plan.crop, 10000).value(), {3, 4, 5}, plan.flip);
      changed += batch.views_BCHW[view][row].equal(expected) ? 0 : 1;
      ApplyColor(DrawColorPlan(spec_.views(1).color(), key.Fold("color")), {3, 4, 5},
                 expected.mutable_data_ptr<uint8_t>());
      EXPECT_TRUE(batch.views_BCHW[view][row].equal(expected)) << view << " " << row;
    }
  }
  EXPECT_GT(changed, 12) << "half of the 24 views at least";
}

TEST_F(LoaderTest, SmallColouredViewsAreTheSameForAnyThreadsAndRanks) {
  WriteImages(20);
  AddSmallColoredViews(2);
  OpenDataset();
  const std::vector<Batch> whole = All(Rank(0, 1, 8, 4));
  spec_.mutable_data()->set_loader_threads(4);
  const std::vector<Batch> threads = All(Rank(0, 1, 8, 4));
  const std::vector<Batch> first = All(Rank(0, 2, 4, 4)), second = All(Rank(1, 2, 4, 4));
  for (int step = 0; step < 4; ++step) {
    EXPECT_TRUE(BytesOf(threads[step]) == BytesOf(whole[step])) << step;
    for (int view = 0; view < 3; ++view) {
      EXPECT_TRUE(first[step].views_BCHW[view].equal(whole[step].views_BCHW[view].slice(0, 0, 4)))
          << step << " " << view;
      EXPECT_TRUE(second[step].views_BCHW[view].equal(whole[step].views_BCHW[view].slice(0, 4))) << step << " " << view;
    }
  }
}

// A photo beside the small images: only of a JPEG of some size is less decoded than all.
TEST_F(LoaderTest, TheSharedTargetIsTheEvaluationCropOfTheSampleInTheRow) {
  WriteImages(11);
  Write("photo.jpg", ReadFile("data/testdata/photo.jpg").value());
  Write(Name(2), "text");
  spec_.mutable_data()->set_global_batch(11);
  spec_.mutable_data()->set_max_pixels(100000);
  SetWidth(10);
  spec_.mutable_views(0)->set_count(2);
  OpenDataset();
  const Batch without = All(Rank(0, 1, 11, 1))[0];
  spec_.add_objective()->mutable_reconstruction()->set_target_view(TARGET_VIEW_OWN);
  EXPECT_FALSE(All(Rank(0, 1, 11, 1))[0].shared_BCHW.defined());
  spec_.add_objective()->mutable_reconstruction()->set_target_view(TARGET_VIEW_SHARED);
  const Batch batch = All(Rank(0, 1, 11, 1))[0];
  EXPECT_EQ(batch.sample_ids, without.sample_ids);
  for (int view = 0; view < 2; ++view) EXPECT_TRUE(batch.views_BCHW[view].equal(without.views_BCHW[view]));
  ASSERT_EQ(batch.shared_BCHW.sizes(), at::IntArrayRef({11, 3, 6, 10}));
  for (int row = 0; row < 11; ++row) {
    const Pixels whole = DecodeImage(dataset_->Read(batch.sample_ids[row]).value(), 100000).value();
    EXPECT_TRUE(batch.shared_BCHW[row].equal(EvaluationCrop(whole, {3, 6, 10}))) << row;
  }
  spec_.mutable_data()->set_loader_threads(4);
  EXPECT_TRUE(BytesOf(All(Rank(0, 1, 11, 1))[0]) == BytesOf(batch));
}

TEST_F(LoaderTest, EachRowHasTheLabelOfTheSampleThatWasRead) {
  WriteImages(5);  // in no class folder
  for (const char* folder : {"cat", "dog", "owl"}) {
    ASSERT_OK(MakeDirs(JoinPath(dir_.path(), folder)));
    for (int i = 0; i < 6; ++i)
      Write(absl::StrCat(folder, "/", i, ".png"), EncodePng({2, 2, std::vector<uint8_t>(12, 9)}));
  }
  Write("dog/3.png", "text named .png");
  OpenDataset();
  std::set<int> seen;
  for (const Batch& batch : All(Rank(0, 1, 8, 8))) {
    ASSERT_EQ(batch.labels.size(), 8u);
    for (int row = 0; row < 8; ++row) {
      const std::string name = dataset_->name(batch.sample_ids[row]);
      const std::string folder = name.substr(0, name.find('/'));
      EXPECT_EQ(batch.labels[row], folder == "cat" ? 0 : folder == "dog" ? 1 : folder == "owl" ? 2 : -1) << name;
      seen.insert(batch.labels[row]);
    }
  }
  EXPECT_EQ(seen, (std::set<int>{-1, 0, 1, 2}));
}

TEST_F(LoaderTest, ABadSampleIsReplacedByTheNextOfItsSlot) {
  WriteImages(24);
  OpenDataset();
  const std::vector<int64_t> order = EpochOrder(3, 0, 24);
  Write(Name(order[2]), "text named .png");
  OpenDataset();
  const auto loader = Open(Rank(0, 1, 8, 3));
  ASSERT_OK_AND_ASSIGN(const Batch first, loader->Next());
  EXPECT_EQ(first.sample_ids[2], order[2 + 8]);
  EXPECT_EQ(first.sample_ids[1], order[1]);
  EXPECT_EQ(first.sample_ids[3], order[3]);
  EXPECT_EQ(first.bad_samples, std::vector<int64_t>{order[2]});
  EXPECT_TRUE(first.complete);
}

TEST_F(LoaderTest, CountsEachBadSampleOnceOverEpochs) {
  WriteImages(8);
  Write(Name(0), "");
  Write(Name(5), "GIF89a");
  OpenDataset();
  const auto loader = Open(Rank(0, 1, 8, 10));
  std::vector<int64_t> bad;
  for (int step = 0; step < 10; ++step) {
    ASSERT_OK_AND_ASSIGN(const Batch batch, loader->Next());
    bad.insert(bad.end(), batch.bad_samples.begin(), batch.bad_samples.end());
    EXPECT_EQ(std::count(batch.sample_ids.begin(), batch.sample_ids.end(), 0), 0);
    EXPECT_EQ(std::count(batch.sample_ids.begin(), batch.sample_ids.end(), 5), 0);
  }
  EXPECT_THAT(bad, ::testing::UnorderedElementsAre(0, 5));
}

TEST_F(LoaderTest, BadSamplesComeWithTheSameBatchForAnyThreads) {
  WriteImages(40);
  for (int i = 0; i < 40; i += 6) {
    Write(Name(i), "text");  // 7, of which 5 are tolerated: the caller says when it is too many
  }
  OpenDataset();
  std::vector<std::vector<int64_t>> expected;
  for (const int threads : {1, 2, 4}) {
    spec_.mutable_data()->set_loader_threads(threads);
    std::vector<std::vector<int64_t>> found;
    for (const Batch& batch : All(Rank(0, 1, 8, 10))) {
      found.push_back(batch.bad_samples);
      EXPECT_TRUE(batch.complete);
    }
    if (expected.empty()) expected = found;
    EXPECT_EQ(found, expected) << threads;
  }
  std::set<int64_t> all;
  for (const auto& bad : expected) all.insert(bad.begin(), bad.end());
  EXPECT_EQ(all, (std::set<int64_t>{0, 6, 12, 18, 24, 30, 36}));
}

TEST_F(LoaderTest, ARowForWhichTooManyAreBadHasNoSample) {
  for (int i = 0; i < 8; ++i) Write(Name(i), "text");
  for (const int64_t limit : {0, 2, 100}) {
    spec_.mutable_data()->set_max_bad_samples(limit);
    OpenDataset();
    const std::vector<Batch> batches = All(Rank(0, 1, 8, 2));
    ASSERT_EQ(batches.size(), 2u) << "it is no failure of the loader";
    EXPECT_FALSE(batches[0].complete);
    EXPECT_EQ(batches[0].bad_samples.size(), 8u);
    EXPECT_EQ(batches[0].sample_ids, std::vector<int64_t>(8, -1));
    EXPECT_EQ(batches[0].labels, std::vector<int>(8, -1));
    EXPECT_FALSE(batches[1].complete);
    EXPECT_TRUE(batches[1].bad_samples.empty()) << "they were told already";
  }
}

// Others would be good, but each attempt is one bad sample more than the job tolerates.
TEST_F(LoaderTest, ARowTriesNoMoreSamplesThanTheJobTolerates) {
  WriteImages(16);
  OpenDataset();
  const std::vector<int64_t> order = EpochOrder(3, 0, 16);
  Write(Name(order[2]), "text");
  OpenDataset();
  for (const int64_t limit : {0, 1}) {
    spec_.mutable_data()->set_max_bad_samples(limit);
    const Batch batch = All(Rank(0, 1, 8, 1))[0];
    EXPECT_EQ(batch.complete, limit == 1);
    EXPECT_EQ(batch.sample_ids[2], limit == 1 ? order[2 + 8] : -1);
    EXPECT_EQ(batch.bad_samples, std::vector<int64_t>{order[2]});
  }
}

TEST_F(LoaderTest, AFileThatIsAwayIsNoBadSampleAndEndsTheLoader) {
  WriteImages(16);
  OpenDataset();
  const auto loader = Open(Rank(0, 1, 8, 0));
  ASSERT_OK(loader->Next());
  std::filesystem::remove_all(dir_.path());
  absl::Status status;
  while (status.ok()) {
    const auto batch = loader->Next();
    status = batch.status();
    if (batch.ok()) {
      EXPECT_TRUE(batch->bad_samples.empty());
    }
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "No such file or directory"));
  EXPECT_EQ(loader->Next().status(), status);
}

// libtorch throws where memory cannot be had: on a reading thread nobody else would catch it.
TEST_F(LoaderTest, WhatIsThrownOnAReadingThreadIsTheLoadersStatus) {
  WriteImages(8);
  spec_.mutable_views(0)->set_image_px(10000000);
  spec_.mutable_views(0)->set_image_width_px(10000000);
  OpenDataset();
  EXPECT_THAT(Open(Rank(0, 1, 8, 1))->Next(), StatusIs(absl::StatusCode::kInternal, "reading images: "));
}

// Runs out of memory, as a decoder may.
class GreedyDataset : public Dataset {
 public:
  explicit GreedyDataset(const Dataset* dataset) : dataset_(dataset) {}
  int64_t size() const override { return dataset_->size(); }
  const std::string& name(int64_t sample) const override { return dataset_->name(sample); }
  absl::StatusOr<std::string> Read(int64_t sample) const override {
    if (sample == 3) throw std::bad_alloc();
    return dataset_->Read(sample);
  }
  int label(int64_t sample) const override { return dataset_->label(sample); }
  const std::vector<std::string>& class_names() const override { return dataset_->class_names(); }
  const std::string& digest() const override { return dataset_->digest(); }
  const DataContents& contents() const override { return dataset_->contents(); }

 private:
  const Dataset* const dataset_;
};

TEST_F(LoaderTest, RunningOutOfMemoryIsTheLoadersStatus) {
  WriteImages(8);
  OpenDataset();
  const GreedyDataset greedy(dataset_.get());
  spec_.mutable_data()->set_loader_threads(3);
  const auto loader = Loader::Open(&greedy, spec_, Rank(0, 1, 8, 1)).value();
  EXPECT_THAT(loader->Next(), StatusIs(absl::StatusCode::kResourceExhausted, "out of memory"));
}

TEST_F(LoaderTest, ReadImagesAreProgress) {
  WriteImages(24);
  Write(Name(2), "text");
  OpenDataset();
  Progress progress;
  Loader::Options options = Rank(0, 1, 8, 6);
  options.progress = &progress;
  ASSERT_EQ(All(options).size(), 6u);
  EXPECT_GE(progress.count(), 48);
}

TEST_F(LoaderTest, OddImagesAreUsedAndBadOnesSkipped) {
  const std::string testdata = "data/testdata/";
  for (const char* name : {"one_pixel.png", "wide.png", "grey.png", "grey16.png", "cmyk.jpg", "palette.png",
                           "alpha.png", "animated.webp"}) {
    Write(name, ReadFile(testdata + name).value());
  }
  Write("truncated.jpg", ReadFile(testdata + "photo.jpg").value().substr(0, 6000));
  Write("text.jpg", "I am text");
  Write("empty.png", "");
  Write("huge.jpg", ReadFile(testdata + "photo.jpg").value());
  spec_.mutable_data()->set_max_pixels(10000);  // the photo has 160 x 214
  spec_.mutable_data()->set_global_batch(12);
  OpenDataset();
  const auto loader = Open(Rank(0, 1, 12, 1));
  ASSERT_OK_AND_ASSIGN(const Batch batch, loader->Next());
  EXPECT_EQ(batch.bad_samples.size(), 5u);
  std::set<std::string> used;
  for (const int64_t sample : batch.sample_ids) used.insert(dataset_->name(sample));
  EXPECT_EQ(used, (std::set<std::string>{"one_pixel.png", "wide.png", "grey.png", "grey16.png", "cmyk.jpg",
                                         "palette.png", "alpha.png"}));
}

TEST_F(LoaderTest, CloseWakesNextAndEndsTheThreads) {
  WriteImages(8);
  OpenDataset();
  const auto loader = Open(Rank(0, 1, 8, 0));  // never ends by itself
  std::thread closer([&] { loader->Close(); });
  absl::Status status;
  while (status.ok()) status = loader->Next().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kCancelled));
  closer.join();
}

TEST_F(LoaderTest, RefusesWhatCannotBeSliced) {
  WriteImages(7);
  OpenDataset();
  const auto open = [this](const Loader::Options& options) { return Loader::Open(dataset_.get(), spec_, options); };
  EXPECT_THAT(open(Rank(0, 1, 8, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, "7 images are fewer than one global batch of 8"));
  EXPECT_THAT(open(Rank(0, 3, 2, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, "8 images: 3 ranks cannot share them evenly"));
  spec_.mutable_data()->set_global_batch(4);
  Loader::Options late = Rank(0, 1, 4, 1);
  late.start.set_batch(1);
  EXPECT_THAT(open(late), StatusIs(absl::StatusCode::kInvalidArgument, "an epoch has 1 batches"));
}

}  // namespace
}  // namespace mimeo
