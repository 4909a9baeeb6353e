#include "data/patience.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"

namespace mimeo {
namespace {

constexpr absl::Duration kStopPoll = absl::Milliseconds(100);

}  // namespace

absl::Status Patience::Pause(const std::string& reason) const {
  Clock* const clock = Clock::Real();
  const absl::Time end = clock->Now() + retry;
  const bool never = false;
  absl::Mutex mu;
  for (absl::Time now = clock->Now(); now < end; now = clock->Now()) {
    if (stop_wanted()) return absl::CancelledError(absl::StrCat("told to stop while waiting for ", reason));
    absl::MutexLock lock(&mu);
    clock->Await(&mu, absl::Condition(&never), std::min(end, now + kStopPoll));
  }
  return absl::OkStatus();
}

}  // namespace mimeo
