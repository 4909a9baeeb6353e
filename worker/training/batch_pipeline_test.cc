#include "worker/training/batch_pipeline.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"
#include "base/testing/status_matchers.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

constexpr int kVisible = 2, kPx = 16;

// Black photos, one a batch, for ever.
class BlackPhotos : public Loader {
 public:
  absl::StatusOr<Batch> Next() override {
    absl::MutexLock lock(&mu_);
    if (closed_) return absl::CancelledError("closed");
    Batch batch;
    if (spoilt_) {
      batch.complete = false;
      batch.bad_samples = {5, 7};
      batch.sample_ids = {-1};
      return batch;
    }
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
  // From now on batches are such as a loader gives when no good sample is left.
  void Spoil() {
    absl::MutexLock lock(&mu_);
    spoilt_ = true;
  }

 private:
  absl::Mutex mu_;
  int64_t number_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool spoilt_ ABSL_GUARDED_BY(mu_) = false;
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
    for (ViewInput& view : *views) view.teacher_BNT["clip"] = at::full({1, kVisible, 1}, static_cast<double>(newest_));
    return broken_;
  }
  const TeacherRequest& request() const override { return request_; }
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
  const TeacherRequest request_ = {"clip"};
  absl::Mutex mu_;
  int answers_ ABSL_GUARDED_BY(mu_) = 0;
  int asked_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t newest_ ABSL_GUARDED_BY(mu_) = -1;
  bool away_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status broken_ ABSL_GUARDED_BY(mu_);
};

// A resolved job on images of 2 x 2 patches, 2 of them visible.
JobSpec Spec() {
  JobSpec spec;
  spec.mutable_data()->set_path("photos");
  spec.mutable_data()->set_global_batch(1);
  spec.mutable_data()->set_image_px(kPx);
  spec.mutable_mask()->set_hidden_fraction(0.5);
  VitSpec* vit = spec.mutable_encoder()->mutable_vit();
  vit->set_patch_px(8), vit->set_width(8), vit->set_depth(1), vit->set_heads(2);
  spec.add_objective()->mutable_reconstruction();
  spec.mutable_schedule()->set_steps(10);
  return ResolveJobSpec(spec).value();
}

BatchPipeline::Options Options() {
  static const auto* const views = new ViewMaker(Spec(), at::kCPU);
  BatchPipeline::Options options;
  options.views = views;
  return options;
}

// While the step of one batch computes (here: between two calls of Next), the next one's features are asked for and can
// arrive: a step costs the longer of the two, not their sum.
TEST(BatchPipelineTest, TheNextFeaturesAreFetchedWhileAStepComputes) {
  BlackPhotos photos;
  GatedTeacher teacher;
  BatchPipeline pipeline(&photos, {&teacher}, Options());
  teacher.Answer(1);
  auto first = pipeline.Next();
  ASSERT_OK(first.status());
  EXPECT_EQ(first->pass.views[0].teacher_BNT.at("clip").min().item<double>(), 0);
  EXPECT_TRUE(teacher.AwaitAsked(1)) << "asked for without anybody calling Next";
  teacher.Answer(1);
  EXPECT_TRUE(teacher.AwaitAsked(2)) << "and the one after that";
  const auto second = pipeline.Next();
  ASSERT_OK(second.status());
  EXPECT_EQ(second->pass.views[0].teacher_BNT.at("clip").min().item<double>(), 1);
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

TEST(BatchPipelineTest, ABatchWithoutSamplesIsHandedOnAndNoTeacherIsAsked) {
  BlackPhotos photos;
  photos.Spoil();
  GatedTeacher teacher;
  teacher.SetAway(true);
  BatchPipeline pipeline(&photos, {&teacher}, Options());
  ASSERT_OK_AND_ASSIGN(const PreparedBatch batch, pipeline.Next());
  EXPECT_FALSE(batch.complete);
  EXPECT_EQ(batch.bad_samples, (std::vector<int64_t>{5, 7}));
}

TEST(BatchPipelineTest, AnotherContractEndsIt) {
  BlackPhotos photos;
  GatedTeacher teacher;
  teacher.Break(absl::FailedPreconditionError("another contract"));
  teacher.Answer(1);
  BatchPipeline pipeline(&photos, {&teacher}, Options());
  EXPECT_THAT(pipeline.Next().status(), testing::StatusIs(absl::StatusCode::kFailedPrecondition, "another contract"));
}

}  // namespace
}  // namespace mimeo
