// Whether a rank moves, and what it is busy with: finer than its steps, the first of which may take minutes.
// Thread-safe.
//
// Whoever does something that can take long counts what it has done: samples indexed, images read, micro-batches
// computed, bytes restored. The agent takes a rank whose count stands still for longer than its patience for hung.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace mimeo {

class Progress {
 public:
  // Lock-free: it may be called for every image.
  void Move(int64_t by = 1) { count_.fetch_add(by, std::memory_order_relaxed); }
  int64_t count() const { return count_.load(std::memory_order_relaxed); }

  // For people: "lists images", "step 4, micro-batch 3 of 16". A new text is a move too.
  void Do(std::string doing) ABSL_LOCKS_EXCLUDED(mu_) {
    Move();
    absl::MutexLock lock(&mu_);
    doing_ = std::move(doing);
  }
  std::string doing() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return doing_;
  }

  // While one lives, the rank is in a collective: it stands still until the other ranks have come as far, and who hangs
  // then is one of those. `progress` may be null, and outlives it.
  class Collective {
   public:
    explicit Collective(Progress* progress) : progress_(progress) { Count(1); }
    ~Collective() { Count(-1); }
    Collective(const Collective&) = delete;
    Collective& operator=(const Collective&) = delete;

   private:
    void Count(int by) {
      if (progress_ == nullptr) return;
      progress_->collectives_.fetch_add(by, std::memory_order_relaxed);
      progress_->Move();
    }
    Progress* const progress_;
  };
  bool in_collective() const { return collectives_.load(std::memory_order_relaxed) > 0; }

 private:
  std::atomic<int64_t> count_{0};
  std::atomic<int> collectives_{0};
  mutable absl::Mutex mu_;
  std::string doing_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
