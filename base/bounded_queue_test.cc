#include "base/bounded_queue.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "base/testing/status_matchers.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

TEST(BoundedQueueTest, FirstInFirstOut) {
  BoundedQueue<int> queue(3);
  for (int i = 0; i < 3; ++i) ASSERT_OK(queue.Push(i));
  EXPECT_EQ(queue.size(), 3u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(const int item, queue.Pop());
    EXPECT_EQ(item, i);
  }
}

TEST(BoundedQueueTest, HoldsMoveOnlyItems) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  ASSERT_OK(queue.Push(std::make_unique<int>(7)));
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<int> item, queue.Pop());
  EXPECT_EQ(*item, 7);
}

TEST(BoundedQueueTest, AFullQueueMakesTheProducerWait) {
  BoundedQueue<int> queue(2);
  absl::Mutex mu;
  int pushed = 0;
  std::thread producer([&] {
    for (int i = 0; i < 10; ++i) {
      ASSERT_OK(queue.Push(i));
      absl::MutexLock lock(&mu);
      ++pushed;
    }
  });
  for (int popped = 0; popped < 10; ++popped) {
    {
      absl::MutexLock lock(&mu);
      EXPECT_LE(pushed, popped + 2 + 1) << "more than the capacity was taken";  // one Push may have returned meanwhile
    }
    EXPECT_LE(queue.size(), 2u);
    ASSERT_OK_AND_ASSIGN(const int item, queue.Pop());
    EXPECT_EQ(item, popped);
  }
  producer.join();
  EXPECT_EQ(queue.size(), 0u);
}

TEST(BoundedQueueTest, CloseDrainsWhatWasPushedThenSaysWhy) {
  BoundedQueue<int> queue(4);
  ASSERT_OK(queue.Push(1));
  queue.Close(absl::DataLossError("cut"));
  EXPECT_THAT(queue.Push(2), StatusIs(absl::StatusCode::kDataLoss, "cut"));
  ASSERT_OK_AND_ASSIGN(const int item, queue.Pop());
  EXPECT_EQ(item, 1);
  EXPECT_THAT(queue.Pop(), StatusIs(absl::StatusCode::kDataLoss, "cut"));
  queue.Close(absl::InternalError("later"));
  EXPECT_THAT(queue.Pop(), StatusIs(absl::StatusCode::kDataLoss, "cut")) << "the first status stands";
}

TEST(BoundedQueueTest, CloseWakesAWaitingConsumerAndAWaitingProducer) {
  BoundedQueue<int> empty(1), full(1);
  ASSERT_OK(full.Push(1));
  std::thread consumer([&] { EXPECT_THAT(empty.Pop(), StatusIs(absl::StatusCode::kCancelled)); });
  std::thread producer([&] { EXPECT_THAT(full.Push(2), StatusIs(absl::StatusCode::kCancelled)); });
  empty.Close();
  full.Close();
  consumer.join();
  producer.join();
  EXPECT_EQ(full.size(), 1u) << "the item of the failed Push is dropped";
}

TEST(BoundedQueueTest, EveryItemArrivesOnceAmongManyThreads) {
  constexpr int kThreads = 4, kItems = 500;
  BoundedQueue<int> queue(3);
  std::vector<std::thread> producers, consumers;
  std::vector<std::vector<int>> got(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    producers.emplace_back([&queue, t] {
      for (int i = 0; i < kItems; ++i) ASSERT_OK(queue.Push(t * kItems + i));
    });
    consumers.emplace_back([&queue, &mine = got[t]] {
      for (absl::StatusOr<int> item = queue.Pop(); item.ok(); item = queue.Pop()) mine.push_back(*item);
    });
  }
  for (std::thread& thread : producers) thread.join();
  queue.Close();
  for (std::thread& thread : consumers) thread.join();
  std::vector<int> all;
  for (const std::vector<int>& part : got) all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end());
  std::vector<int> wanted(kThreads * kItems);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(all, wanted);
}

}  // namespace
}  // namespace mimeo
