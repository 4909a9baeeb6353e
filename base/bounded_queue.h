// A closable FIFO of at most `capacity` items between threads. Thread-safe.
#pragma once

#include <deque>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace mimeo {

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room. Returns the status of Close (Cancelled by default) once closed; the item is then dropped.
  absl::Status Push(T item) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &BoundedQueue::RoomOrClosed));
    if (closed_) return close_status_;
    items_.push_back(std::move(item));
    return absl::OkStatus();
  }

  // Waits for an item. Once closed, the items pushed before come first, then the status of Close.
  absl::StatusOr<T> Pop() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    mu_.Await(absl::Condition(this, &BoundedQueue::ItemOrClosed));
    if (items_.empty()) return close_status_;
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }

  // Wakes everybody. The first status stands; it may not be OK.
  void Close(absl::Status status = absl::CancelledError("queue closed")) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    closed_ = true;
    close_status_ = std::move(status);
  }

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
