// The exit codes of `mimeo`, by which a script can tell what to do next. They are part of its interface and do not
// change. Pure functions.
#pragma once

#include "absl/status/status.h"

namespace mimeo {

enum ExitCode {
  kDone = 0,    // The command did what it was asked to do.
  kFailed = 1,  // The job or the operation failed, or the job is paused until a person mends what its reason says.
  kWrongRequest = 2,   // The request was wrong. Each mistake is on stderr, with its field and what would be right.
  kNobodyAnswers = 3,  // Nobody answers at the coordinator's address.
};

// The exit code of a command that ends with `status`. Errors about what was asked for, such as InvalidArgument and
// NotFound, are kWrongRequest. Unavailable and DeadlineExceeded are kNobodyAnswers. All others are kFailed.
ExitCode ExitCodeOf(const absl::Status& status);

}  // namespace mimeo
