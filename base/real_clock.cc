// The only file that reads the machine's clock.
#include "base/clock.h"

namespace mimeo {
namespace {

class RealClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  bool Await(absl::Mutex* mu, const absl::Condition& ready, absl::Time deadline) override {
    return mu->AwaitWithDeadline(ready, deadline);
  }
};

}  // namespace

Clock* Clock::Real() {
  static Clock* const clock = new RealClock;
  return clock;
}

}  // namespace mimeo
