#include "teacher_server/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

namespace mimeo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// One patch an image.
FeatureGeometry OfImages(int max_images) {
  FeatureGeometry geometry;
  geometry.image_height_px = 1, geometry.image_width_px = 1, geometry.patch_px = 1, geometry.max_images = max_images;
  return geometry;
}

FeatureTask Task(uint64_t id, int num_images) {
  FeatureTask task;
  task.wish.set_rows(1), task.wish.set_cols(1);
  task.request_id = id;
  task.num_images = num_images;
  task.num_chosen = 1;
  task.images = std::string(num_images * 3, 'x');
  return task;
}

// A compute function whose first batch waits for Open; it records the request ids of every batch.
class GatedCompute {
 public:
  Batcher::Compute function() {
    return [this](absl::Span<const FeatureTask> tasks) { return Run(tasks); };
  }
  void Open() { open_.Notify(); }
  void WaitUntilBusy() { busy_.WaitForNotification(); }
  std::vector<std::vector<uint64_t>> batches() {
    absl::MutexLock lock(&mu_);
    return batches_;
  }

 private:
  absl::StatusOr<std::vector<std::string>> Run(absl::Span<const FeatureTask> tasks) {
    std::vector<std::string> answers;
    {
      absl::MutexLock lock(&mu_);
      batches_.emplace_back();
      for (const FeatureTask& task : tasks) batches_.back().push_back(task.request_id);
    }
    if (!busy_.HasBeenNotified()) busy_.Notify();
    open_.WaitForNotification();
    for (const FeatureTask& task : tasks) answers.push_back(std::to_string(task.request_id));
    return answers;
  }

  absl::Notification open_, busy_;
  absl::Mutex mu_;
  std::vector<std::vector<uint64_t>> batches_ ABSL_GUARDED_BY(mu_);
};

// The answers in the order in which they came.
class Answers {
 public:
  Batcher::Done Next() {
    return [this](absl::StatusOr<std::string> features) {
      absl::MutexLock lock(&mu_);
      answers_.push_back(features.ok() ? *features : std::string(features.status().message()));
    };
  }
  std::vector<std::string> Wait(size_t count) {
    absl::MutexLock lock(&mu_);
    const auto there = [&] { return answers_.size() >= count; };
    mu_.Await(absl::Condition(&there));
    return answers_;
  }

 private:
  absl::Mutex mu_;
  std::vector<std::string> answers_ ABSL_GUARDED_BY(mu_);
};

TEST(BatcherTest, TakesWhatWaitsAndStreamsTakeTurns) {
  Metrics metrics(MetricOwner::kTeacher);
  GatedCompute compute;
  Answers answers;
  Batcher batcher(OfImages(8), compute.function(), &metrics);
  ASSERT_TRUE(batcher.Submit(1, Task(10, 2), answers.Next()).ok());
  compute.WaitUntilBusy();
  // While the first batch runs, stream 1 asks for much and two others for little.
  for (uint64_t id = 11; id <= 15; ++id) ASSERT_TRUE(batcher.Submit(1, Task(id, 2), answers.Next()).ok());
  ASSERT_TRUE(batcher.Submit(2, Task(20, 2), answers.Next()).ok());
  ASSERT_TRUE(batcher.Submit(3, Task(30, 2), answers.Next()).ok());
  EXPECT_EQ(batcher.queued_images(), 14);
  EXPECT_THAT(metrics.Text(), HasSubstr("mimeo_teacher_queue_images 14"));
  compute.Open();
  EXPECT_THAT(answers.Wait(8), ElementsAre("10", "20", "30", "11", "12", "13", "14", "15"));
  EXPECT_THAT(compute.batches(), ElementsAre(ElementsAre(10), ElementsAre(20, 30, 11, 12), ElementsAre(13, 14, 15)));
  batcher.Stop();
  EXPECT_THAT(metrics.Text(), HasSubstr("mimeo_teacher_batch_images_sum 16"));
  EXPECT_THAT(metrics.Text(), HasSubstr("mimeo_teacher_batch_images_count 3"));
}

TEST(BatcherTest, ARequestThatDoesNotFitKeepsItsTurn) {
  Metrics metrics(MetricOwner::kTeacher);
  GatedCompute compute;
  Answers answers;
  Batcher batcher(OfImages(8), compute.function(), &metrics);
  ASSERT_TRUE(batcher.Submit(1, Task(10, 1), answers.Next()).ok());
  compute.WaitUntilBusy();
  ASSERT_TRUE(batcher.Submit(2, Task(20, 4), answers.Next()).ok());
  ASSERT_TRUE(batcher.Submit(3, Task(30, 8), answers.Next()).ok());
  ASSERT_TRUE(batcher.Submit(4, Task(40, 1), answers.Next()).ok());
  compute.Open();
  answers.Wait(4);
  EXPECT_THAT(compute.batches(), ElementsAre(ElementsAre(10), ElementsAre(20), ElementsAre(30), ElementsAre(40)));
}

FeatureTask OfLayer(FeatureTask task, int layer) {
  task.wish.set_layer(layer);
  return task;
}

TEST(BatcherTest, ABatchWishesTheSameAndNoWishIsStarved) {
  Metrics metrics(MetricOwner::kTeacher);
  GatedCompute compute;
  Answers answers;
  Batcher batcher(OfImages(8), compute.function(), &metrics);
  ASSERT_TRUE(batcher.Submit(1, Task(10, 1), answers.Next()).ok());
  compute.WaitUntilBusy();
  // Three streams of layer 0 and, between them, one of layer 1; each request is half a batch.
  for (uint64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(batcher.Submit(1, Task(10 + i, 4), answers.Next()).ok());
    ASSERT_TRUE(batcher.Submit(2, OfLayer(Task(20 + i, 4), 1), answers.Next()).ok());
    ASSERT_TRUE(batcher.Submit(3, Task(30 + i, 4), answers.Next()).ok());
  }
  compute.Open();
  answers.Wait(10);
  // Stream 2 has the turn, and fills its batch; then who was passed over has it.
  EXPECT_THAT(compute.batches(), ElementsAre(ElementsAre(10), ElementsAre(21, 22), ElementsAre(31, 11), ElementsAre(23),
                                             ElementsAre(32, 12), ElementsAre(33, 13)));
}

TEST(BatcherTest, ABatchOfAFinerGridHasFewerImages) {
  Metrics metrics(MetricOwner::kTeacher);
  GatedCompute compute;
  Answers answers;
  Batcher batcher(OfImages(8), compute.function(), &metrics);
  ASSERT_TRUE(batcher.Submit(1, Task(10, 1), answers.Next()).ok());
  compute.WaitUntilBusy();
  for (uint64_t id = 11; id <= 13; ++id) {
    FeatureTask finer = Task(id, 2);
    finer.wish.set_cols(2);  // 4 images at a time
    ASSERT_TRUE(batcher.Submit(1, std::move(finer), answers.Next()).ok());
  }
  compute.Open();
  answers.Wait(4);
  EXPECT_THAT(compute.batches(), ElementsAre(ElementsAre(10), ElementsAre(11, 12), ElementsAre(13)));
}

TEST(BatcherTest, AFailedBatchFailsEachOfItsRequests) {
  Metrics metrics(MetricOwner::kTeacher);
  Answers answers;
  Batcher batcher(
      OfImages(4), [](absl::Span<const FeatureTask>) { return absl::InternalError("out of memory"); }, &metrics);
  ASSERT_TRUE(batcher.Submit(1, Task(1, 4), answers.Next()).ok());
  EXPECT_THAT(answers.Wait(1), ElementsAre("out of memory"));
}

TEST(BatcherTest, StopAnswersWhatWaits) {
  Metrics metrics(MetricOwner::kTeacher);
  GatedCompute compute;
  Answers answers;
  Batcher batcher(OfImages(4), compute.function(), &metrics);
  ASSERT_TRUE(batcher.Submit(1, Task(1, 1), answers.Next()).ok());
  compute.WaitUntilBusy();
  ASSERT_TRUE(batcher.Submit(2, Task(2, 1), answers.Next()).ok());
  std::thread stop([&] { batcher.Stop(); });
  while (batcher.queued_images() > 0) std::this_thread::yield();  // Stop has begun
  compute.Open();
  stop.join();
  EXPECT_THAT(answers.Wait(2), ElementsAre("1", "the teacher stops"));  // the running batch is finished
  EXPECT_EQ(batcher.Submit(1, Task(3, 1), answers.Next()).code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace mimeo
