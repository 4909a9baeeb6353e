// Time as a dependency. Code that decides takes `absl::Time now`; only the edge of a process holds a Clock.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mimeo {

// Thread-safe. Implementations: the real clock, and testing::FakeClock, which moves only when told to.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual absl::Time Now() const = 0;

  // Waits until `ready` holds or Now() reaches `deadline`. Returns whether `ready` holds.
  virtual bool Await(absl::Mutex* mu, const absl::Condition& ready, absl::Time deadline)
      ABSL_SHARED_LOCKS_REQUIRED(mu) = 0;

  static Clock* Real();  // Never deleted.
};

}  // namespace mimeo
