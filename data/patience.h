// How code that reads data waits while the data are away, as when a file server does not answer: whom it tells, when it
// tries again, and when it gives up. The rank makes one and passes it down. A value. Its functions are called by any
// thread that reads, so they must be thread-safe.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace mimeo {

struct Patience {
  // Whether to give up waiting, because the rank was told to stop.
  std::function<bool()> stop_wanted = [] { return false; };
  // Called with true and what is waited for when a wait begins, and with false and the same words when it is over.
  std::function<void(const std::string& reason, bool waiting)> on_waiting = [](const std::string&, bool) {};
  // The pause between two attempts.
  absl::Duration retry = absl::Seconds(1);

  // Blocks for `retry`. Cancelled: a stop is wanted; this is noticed within about 100 ms, and the error names `reason`.
  absl::Status Pause(const std::string& reason) const;
};

}  // namespace mimeo
