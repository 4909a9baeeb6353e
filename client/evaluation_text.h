// The results of `mimeo evaluate` as a person reads them. Pure; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// Tables of at most 80 columns, and sentences, of the JSON object that `worker VERB` printed; `verb` is "knn", "linear"
// or "compare". Text of several lines (base/text.h), with a line break at its end. Fields that are missing are left
// out. DataLoss: it is no JSON object.
absl::StatusOr<std::string> EvaluationText(const std::string& verb, absl::string_view json);

}  // namespace mimeo
