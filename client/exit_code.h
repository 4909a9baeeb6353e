// How a command ends, for scripts and for people. Pure.
#pragma once

#include "absl/status/status.h"

namespace mimeo {

enum ExitCode {
  kDone = 0,
  kFailed = 1,         // the job or operation failed, or the job is paused until somebody mends what the reason says
  kWrongRequest = 2,   // every error is on stderr, with its field and what would be right
  kNobodyAnswers = 3,  // at that address
};

// Of a command whose last word is `status`.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace mimeo
