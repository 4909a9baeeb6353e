// Time as a dependency. A function that decides something takes the time as an argument, `absl::Time now`. Only the
// outer parts of a process hold a Clock, and tests give them a clock of their own.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mimeo {

// Thread-safe. There are two: the real clock, and testing::FakeClock, which moves only when a test tells it to.
//
// A clock has two times because a person or an NTP daemon may set the machine's clock, forward by a day or back. Now()
// never jumps: it is for everything that measures (leases, patience, back-off, rates, time that is left). Wall() is the
// time of day, for people, for files and for certificates. At the first use in a process both are equal. Later they
// differ by as much as the machine's clock was set. A Now() of one process means nothing in another one.
class Clock {
 public:
  virtual ~Clock() = default;

  virtual absl::Time Now() const = 0;
  virtual absl::Time Wall() const = 0;

  // Waits until `ready` holds or Now() reaches `deadline`, and returns whether `ready` holds. `*mu` is released during
  // the wait. The real clock may return early, with false, from a wait of more than a year.
  virtual bool Await(absl::Mutex* mu, const absl::Condition& ready, absl::Time deadline)
      ABSL_SHARED_LOCKS_REQUIRED(mu) = 0;

  // The machine's clock: the same object each time, which is never deleted.
  static Clock* Real();
};

}  // namespace mimeo
