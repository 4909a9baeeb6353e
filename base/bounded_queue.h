// A queue between threads, first in first out, that can be closed. Thread-safe: any number of threads may push, pop and
// close. It must outlive every call, so whoever owns it closes it and joins the threads before it is destroyed.
#pragma once

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace mimeo {

// It holds at most `capacity` items: a thread that is faster than its reader waits in Push, and memory stays bounded.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits until there is room. After Close, also when that comes during the wait, the item is dropped and the status
  // that was given to Close is returned.
  absl::Status Push(T item) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &BoundedQueue::RoomOrClosed));
    if (closed_) return close_status_;
    items_.push_back(std::move(item));
    return absl::OkStatus();
  }

  // Waits until there is an item. After Close the items that are left are still given out, and then the status that was
  // given to Close: a reader loses nothing that was pushed.
  absl::StatusOr<T> Pop() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &BoundedQueue::ItemOrClosed));
    if (items_.empty()) return close_status_;
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  // Ends all waits, for good. Only the first call counts: it says what every later Push and Pop returns. `status` must
  // be an error.
  void Close(absl::Status status = absl::CancelledError("queue closed")) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    closed_ = true;
    close_status_ = std::move(status);
  }

  // For a metric only: another thread may have changed it before the caller looks at it.
  size_t size() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return items_.size();
  }

 private:
  bool RoomOrClosed() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closed_ || items_.size() < capacity_; }
  bool ItemOrClosed() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closed_ || !items_.empty(); }

  const size_t capacity_;
  mutable absl::Mutex mu_;
  std::deque<T> items_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status close_status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
