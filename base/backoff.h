// How long to wait before the next attempt: 50 ms, doubled each time, at most 2 s. Value type; one thread.
#pragma once

#include <algorithm>

#include "absl/time/time.h"

namespace mimeo {

class Backoff {
 public:
  absl::Duration Next() {
    const absl::Duration now = next_;
    next_ = std::min(2 * next_, absl::Seconds(2));
    return now;
  }
  void Reset() { next_ = absl::Milliseconds(50); }

 private:
  absl::Duration next_ = absl::Milliseconds(50);
};

}  // namespace mimeo
