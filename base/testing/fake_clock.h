// A clock that moves only when Advance is called, and whose wall time somebody may set. Thread-safe.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace mimeo::testing {

class FakeClock : public Clock {
 public:
  explicit FakeClock(absl::Time start = absl::UnixEpoch()) : now_(start) {}

  absl::Time Now() const override ABSL_LOCKS_EXCLUDED(mu_);
  absl::Time Wall() const override ABSL_LOCKS_EXCLUDED(mu_);

  // Real waiting in short slices: it returns once `ready` holds or another thread has advanced past `deadline`.
  bool Await(absl::Mutex* mu, const absl::Condition& ready, absl::Time deadline) override
      ABSL_SHARED_LOCKS_REQUIRED(mu);

  void Advance(absl::Duration by) ABSL_LOCKS_EXCLUDED(mu_);
  // As when a person sets the machine's clock: Wall() moves by so much, Now() does not.
  void SetWall(absl::Duration forward) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
  absl::Duration wall_ahead_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo::testing
