#include "worker/training/batch_pipeline.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"
#include "base/testing/status_matchers.h"

namespace mimeo {
namespace {

constexpr int kPatches = 4, kVisible = 2, kPx = 16;

// Black photos, one a batch, for ever.
class BlackPhotos : public Loader {
 public:
  absl::StatusOr<Batch> Next() override {
    absl::MutexLock lock(&mu_);
    if (closed_) return absl::CancelledError("closed");
    Batch batch;
    batch.sample_ids = {number_};
    batch.keys = {RandomKey(7).Fold(static_cast<uint64_t>(number_))};
    batch.views_BCHW = {at::zeros({1, 3, kPx, kPx}, at::kByte)};
    batch.next.set_batch(++number_);
    return batch;
  }
  void Close() override {
    absl::MutexLock lock(&mu_);
    closed_ = true;
  }
  int64_t bad_samples() const override { return 0; }

 private:
  absl::Mutex mu_;
  int64_t number_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

// A teacher whose answers are given out by the test, one by one; it can be away.
class GatedTeacher : public FeatureSource {
 public:
  absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) override {
    absl::MutexLock lock(&mu_);
    ++asked_;
    newest_ = batch.sample_ids[0];
    if (away_) return absl::DeadlineExceededError("away");
    mu_.Await(absl::Condition(this, &GatedTeacher::Open));
    --answers_;
    for (ViewInput& view : *views) view.teacher_BKT[name_] = at::full({1, kVisible, 1}, static_cast<double>(newest_));
    return broken_;
  }
  const std::string& name() const override { return name_; }
  int width() const override { return 1; }

  void Answer(int times) {
    absl::MutexLock lock(&mu_);
    answers_ += times;
  }
  void SetAway(bool away) {
    absl::MutexLock lock(&mu_);
    away_ = away;
  }
  void Break(absl::Status status) {
    absl::MutexLock lock(&mu_);
    broken_ = std::move(status);
  }
  // Waits until batch `sample`, or a later one, was asked for.
  bool AwaitAsked(int64_t sample) {
    absl::MutexLock lock(&mu_);
    const auto there = [this, sample]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return newest_ >= sample; };
    return mu_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(30));
  }
  bool AwaitTimesAsked(int times) {
    absl::MutexLock lock(&mu_);
    const auto there = [this, times]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return asked_ >= times; };
    return mu_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(30));
  }

 private:
  bool Open() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return answers_ > 0; }
  const std::string name_ = "clip";
  absl::Mutex mu_;
  int answers_ ABSL_GUARDED_BY(mu_) = 0;
  int asked_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t newest_ ABSL_GUARDED_BY(mu_) = -1;
  bool away_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status broken_ ABSL_GUARDED_BY(mu_);
};

BatchPipeline::Options Options() {
  BatchPipeline::Options options;
  options.num_patches = kPatches;
  options.num_visible = kVisible;
  return options;
}

// While the step of one batch computes (here: between two calls of Next), the next one's features are asked for and can arrive: a
// step costs the longer of the two, not their sum.
TEST(BatchPipelineTest, TheNextFeaturesAreFetchedWhileAStepComputes) {
  BlackPhotos photos;
  GatedTeacher teacher;
  BatchPipeline pipeline(&photos, {&teacher}, Options());
  teacher.Answer(1);
  auto first = pipeline.Next();
  ASSERT_OK(first.status());
  EXPECT_EQ(first->views[0].teacher_BKT.at("clip").min().item<double>(), 0);
  EXPECT_TRUE(teacher.AwaitAsked(1)) << "asked for without anybody calling Next";
  teacher.Answer(1);
  EXPECT_TRUE(teacher.AwaitAsked(2)) << "and the one after that";
  const auto second = pipeline.Next();
  ASSERT_OK(second.status());
  EXPECT_EQ(second->views[0].teacher_BKT.at("clip").min().item<double>(), 1);
  EXPECT_EQ(second->next.batch(), 2);
  teacher.Answer(100);
}

TEST(BatchPipelineTest, ATeacherThatIsAwayIsAskedAgainAndNoBatchIsLost) {
  BlackPhotos photos;
  GatedTeacher teacher;
  teacher.SetAway(true);
  BatchPipeline pipeline(&photos, {&teacher}, Options());
  EXPECT_TRUE(teacher.AwaitTimesAsked(3));
  teacher.SetAway(false);
  teacher.Answer(100);
  const auto batch = pipeline.Next();
  ASSERT_OK(batch.status());
  EXPECT_EQ(batch->sample_ids, std::vector<int64_t>{0});
}

TEST(BatchPipelineTest, ToldToStopItWaitsForNoTeacher) {
  BlackPhotos photos;
  GatedTeacher teacher;
  teacher.SetAway(true);
  std::atomic<bool> stop{false};
  BatchPipeline::Options options = Options();
  options.stop_wanted = [&stop] { return stop.load(); };
  BatchPipeline pipeline(&photos, {&teacher}, options);
  EXPECT_TRUE(teacher.AwaitTimesAsked(1));
  stop = true;
  EXPECT_THAT(pipeline.Next().status(), testing::StatusIs(absl::StatusCode::kCancelled, "clip"));
}

TEST(BatchPipelineTest, AnotherContractEndsIt) {
  BlackPhotos photos;
  GatedTeacher teacher;
  teacher.Break(absl::FailedPreconditionError("another contract"));
  teacher.Answer(1);
  BatchPipeline pipeline(&photos, {&teacher}, Options());
  EXPECT_THAT(pipeline.Next().status(), testing::StatusIs(absl::StatusCode::kFailedPrecondition, "another contract"));
}

TEST(MakeViewsTest, MasksFollowFromTheRowsKeysAlone) {
  Batch batch;
  batch.keys = {RandomKey(1), RandomKey(2)};
  batch.views_BCHW.assign(2, at::zeros({2, 3, kPx, kPx}, at::kByte));
  const std::vector<ViewInput> both = MakeViews(batch, 100, 25, at::kCPU);
  batch.keys = {RandomKey(2)};
  batch.views_BCHW.assign(2, at::zeros({1, 3, kPx, kPx}, at::kByte));
  const std::vector<ViewInput> alone = MakeViews(batch, 100, 25, at::kCPU);
  EXPECT_TRUE(at::equal(both[0].plan.visible_BK[1], alone[0].plan.visible_BK[0]));
  EXPECT_FALSE(at::equal(alone[0].plan.visible_BK, alone[1].plan.visible_BK)) << "each view has its own mask";
}

}  // namespace
}  // namespace mimeo
