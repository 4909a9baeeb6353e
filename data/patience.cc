#include "data/patience.h"

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/wait.h"

namespace mimeo {

absl::Status Patience::Pause(const std::string& reason) const {
  if (!WaitUntilOrStop(Clock::Real()->Now() + retry, stop_wanted)) return absl::OkStatus();
  return absl::CancelledError(absl::StrCat("told to stop while waiting for ", reason));
}

}  // namespace mimeo
