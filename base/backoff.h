// How long to wait before the next attempt at something that failed. A value of one thread: whoever tries again has one
// of its own. It only computes; the caller waits (base/wait.h), so that it can stop waiting when it is told to stop.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace mimeo {

class Backoff {
 public:
  // The first call gives 50 ms. Each later one gives twice as much as the one before, and never more than 2 s.
  absl::Duration Next() {
    const absl::Duration now = next_;
    next_ = std::min(2 * next_, absl::Seconds(2));
    return now;
  }
  // After a success: the next failure begins again with 50 ms.
  void Reset() { next_ = absl::Milliseconds(50); }

 private:
  absl::Duration next_ = absl::Milliseconds(50);
};

}  // namespace mimeo
