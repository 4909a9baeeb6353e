#include "base/wait.h"

#include <algorithm>

#include "absl/synchronization/mutex.h"

namespace mimeo {
namespace {

constexpr absl::Duration kStopPoll = absl::Milliseconds(100);

}  // namespace

void WaitUntil(absl::Time until, Clock* clock) {
  absl::Mutex mu;
  const bool never = false;
  absl::MutexLock lock(&mu);
  // Again, should it end early: the real clock cuts very long waits.
  while (clock->Now() < until) clock->Await(&mu, absl::Condition(&never), until);
}

void WaitFor(absl::Duration duration, Clock* clock) { WaitUntil(clock->Now() + duration, clock); }

bool WaitUntilOrStop(absl::Time until, const std::function<bool()>& stop_wanted, Clock* clock) {
  while (!stop_wanted()) {
    const absl::Time now = clock->Now();
    if (now >= until) return false;
    WaitUntil(std::min(until, now + kStopPoll), clock);
  }
  return true;
}

}  // namespace mimeo
