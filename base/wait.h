// Waits of a thread that has nothing else to do. What waits for a state under a mutex of its own uses Clock::Await.
// Thread-safe.
#pragma once

#include <functional>

#include "absl/time/time.h"
#include "base/clock.h"

namespace mimeo {

// Returns at `until`, by Now() of `clock`.
void WaitUntil(absl::Time until, Clock* clock = Clock::Real());
// Returns after `duration`.
void WaitFor(absl::Duration duration, Clock* clock = Clock::Real());

// Returns at `until`, or sooner, and then true: `stop_wanted` holds. It is asked at once and then every 100 ms, so that
// whoever wants a stop need not know who waits.
bool WaitUntilOrStop(absl::Time until, const std::function<bool()>& stop_wanted, Clock* clock = Clock::Real());

}  // namespace mimeo
