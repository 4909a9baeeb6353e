// Time as a dependency. Code that decides takes `absl::Time now`; only the edge of a process holds a Clock.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mimeo {

// Thread-safe. Implementations: the real clock, and testing::FakeClock, which moves only when told to.
//
// Two times, because a person or an NTP daemon may set the machine's clock, by a day or back. Now() is monotonic: for
// everything that measures (leases, patience, back-off, rates, what is left). Wall() is for people, for files and for
// certificates. Now() begins near Wall(), differs from it by as much as the clock was set since, and means nothing in
// another process.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual absl::Time Now() const = 0;
  virtual absl::Time Wall() const = 0;

  // Waits until `ready` holds or Now() reaches `deadline`. Returns whether `ready` holds.
  virtual bool Await(absl::Mutex* mu, const absl::Condition& ready, absl::Time deadline)
      ABSL_SHARED_LOCKS_REQUIRED(mu) = 0;

  static Clock* Real();  // Never deleted.
};

}  // namespace mimeo
