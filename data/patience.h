// How one who needs data bears that it is away. A value; its functions are called by any thread.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace mimeo {

struct Patience {
  std::function<bool()> stop_wanted = [] { return false; };
  // Says what is stood still for, and when that is over: the same reason with false.
  std::function<void(const std::string& reason, bool waiting)> on_waiting = [](const std::string&, bool) {};
  absl::Duration retry = absl::Seconds(1);

  // Returns after `retry`. Cancelled, soon after it: a stop is wanted (says what was waited for).
  absl::Status Pause(const std::string& reason) const;
};

}  // namespace mimeo
