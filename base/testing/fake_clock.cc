#include "base/testing/fake_clock.h"

namespace mimeo::testing {

absl::Time FakeClock::Now() const {
  absl::MutexLock lock(&mu_);
  return now_;
}

absl::Time FakeClock::Wall() const {
  absl::MutexLock lock(&mu_);
  return now_ + wall_ahead_;
}

bool FakeClock::Await(absl::Mutex* mu, const absl::Condition& ready, absl::Time deadline) {
  while (!ready.Eval() && Now() < deadline) mu->AwaitWithTimeout(ready, absl::Milliseconds(1));
  return ready.Eval();
}

void FakeClock::Advance(absl::Duration by) {
  absl::MutexLock lock(&mu_);
  now_ += by;
}

void FakeClock::SetWall(absl::Duration forward) {
  absl::MutexLock lock(&mu_);
  wall_ahead_ += forward;
}

}  // namespace mimeo::testing
