// Bounds what all streams of a teacher hold at once, in images and bytes. A request is paid for when its header
// arrives, and its cost is given back when its answer is written, so clients that send much or never read cannot grow
// the process. Whoever comes first is served first. Any thread may call it, and nobody blocks in it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"

namespace mimeo {

// A stream asks it when a header has arrived, and reads no further before it is let in. So what waits is one frame for
// each stream, and a client is slowed down by the flow control of its own connection in place of an error.
class Admission {
 public:
  // What a request costs: its images, and all its bytes with those of its answer.
  struct Cost {
    int64_t images = 0;
    int64_t bytes = 0;
  };

  explicit Admission(Cost capacity) : capacity_(capacity) {}

  // A cost that is in use until the lease is destroyed. It is a move-only value, and must not outlive the Admission.
  // Its destructor may call the callbacks of those who wait, so it must be destroyed under no lock.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept : admission_(std::exchange(other.admission_, nullptr)), cost_(other.cost_) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(cost_, other.cost_);
      return *this;
    }
    ~Lease() {
      if (admission_ != nullptr) admission_->Return(cost_);
    }

   private:
    friend class Admission;
    Lease(Admission* admission, Cost cost) : admission_(admission), cost_(cost) {}
    Admission* admission_ = nullptr;
    Cost cost_;
  };
  // Told that a request is let in, or why it never will be.
  using Granted = std::function<void(absl::StatusOr<Lease>)>;

  // Calls `granted` once, under no lock: at once where there is room and nobody waits, and otherwise from the thread
  // that makes room. InvalidArgument: the cost is more than the whole capacity. Unavailable: Close was called.
  void Acquire(Cost cost, Granted granted) ABSL_LOCKS_EXCLUDED(mu_);
  // Answers those who wait, and all who come later, with Unavailable.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // What is in use, and how many wait: for tests and metrics.
  Cost used() const ABSL_LOCKS_EXCLUDED(mu_);
  int waiting() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Waiter {
    Cost cost;
    Granted granted;
  };

  // Gives a cost back, and lets in those at the head of the line that fit now. It calls them after it has released the
  // lock.
  void Return(Cost cost) ABSL_LOCKS_EXCLUDED(mu_);
  bool Fits(Cost cost) const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  void Take(Cost cost) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Cost capacity_;
  mutable absl::Mutex mu_;
  Cost used_ ABSL_GUARDED_BY(mu_);
  std::deque<Waiter> waiters_ ABSL_GUARDED_BY(mu_);  // in the order in which they came; at most one for each stream
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mimeo
