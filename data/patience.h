// How a thread waits for data that cannot be read now, such as a mount that went away. This is a value, and its
// functions are called by whichever thread waits, so they must be safe on any of them.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace mimeo {

struct Patience {
  // Asked again and again while a thread waits. It must not block.
  std::function<bool()> stop_wanted = [] { return false; };
  // Called with true when the waiting for `reason` begins, and with the same reason and false when it is over.
  std::function<void(const std::string& reason, bool waiting)> on_waiting = [](const std::string&, bool) {};
  absl::Duration retry = absl::Seconds(1);

  // Sleeps for `retry` and returns OK, after which the caller tries again. Cancelled: a stop was wanted meanwhile; the
  // message says what was waited for, and the wait has ended early.
  absl::Status Pause(const std::string& reason) const;
};

}  // namespace mimeo
