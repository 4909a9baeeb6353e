#include "client/exit_code.h"

#include <cstdio>
#include <string>

#include "absl/strings/str_split.h"

namespace mimeo {

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk: return kDone;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange: return kWrongRequest;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded: return kNobodyAnswers;
    default: return kFailed;
  }
}

void PrintError(const absl::Status& status) {
  for (absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    std::fprintf(stderr, "mimeo: %s\n", std::string(line).c_str());
  }
}

}  // namespace mimeo
