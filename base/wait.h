// Blocks a thread for some time. It is the only way to do that: a test can pass a clock that it moves itself. A thread
// that waits for a state under a mutex uses Clock::Await instead, and is woken when the state comes. Thread-safe.
#pragma once

#include <functional>

#include "absl/time/time.h"
#include "base/clock.h"

namespace mimeo {

// Returns when Now() of `clock` has reached `until`.
void WaitUntil(absl::Time until, Clock* clock = Clock::Real());
// Returns when `duration` has passed by Now() of `clock`. A duration that is not positive does not wait.
void WaitFor(absl::Duration duration, Clock* clock = Clock::Real());

// Returns false when Now() of `clock` has reached `until`, or earlier and true when `stop_wanted` returns true. That is
// asked at once and then every 100 ms, in this thread; so whoever wants a stop need not know who waits.
bool WaitUntilOrStop(absl::Time until, const std::function<bool()>& stop_wanted, Clock* clock = Clock::Real());

}  // namespace mimeo
