// How a command ends, for scripts and for people. Pure, but for PrintError.
#pragma once

#include "absl/status/status.h"

namespace mimeo {

enum ExitCode {
  kDone = 0,
  kFailed = 1,            // the job or operation failed
  kWrongRequest = 2,      // every error is on stderr, with its field and what would be right
  kNobodyAnswers = 3,     // at that address
};

// Of a command whose last word is `status`.
ExitCode ExitCodeOf(const absl::Status& status);

// "mimeo: <line>" to stderr for each line of the message.
void PrintError(const absl::Status& status);

}  // namespace mimeo
