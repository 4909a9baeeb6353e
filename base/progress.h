// Whether a rank moves, and what it is busy with. Its steps alone would not do: the first one may take minutes.
//
// All code of a rank that can take long counts what it has done: samples indexed, images read, micro-batches computed,
// bytes restored. The unit does not matter, only that the count grows. The rank sends it to its agent, and the agent
// ends a rank whose count stands still for longer than its patience, because such a rank hangs. Thread-safe: any thread
// of the rank may count.
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
  // Takes no lock, so it may be called for every image.
  void Move(int64_t by = 1) { count_.fetch_add(by, std::memory_order_relaxed); }
  int64_t count() const { return count_.load(std::memory_order_relaxed); }

  // Says what the rank does now, for people: "lists images", "step 4, micro-batch 3 of 16". It counts as a move.
  void Do(std::string doing) ABSL_LOCKS_EXCLUDED(mu_) {
    Move();
    absl::MutexLock lock(&mu_);
    doing_ = std::move(doing);
  }
  std::string doing() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return doing_;
  }

  // While such an object lives, the rank is in a collective operation of its gang. It then waits until the other ranks
  // have come as far, so when it stands still there, one of the others hangs and not this one. `progress` may be null;
  // it must outlive this object.
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
