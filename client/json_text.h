// Messages as JSON, for `mimeo -o json`. Pure; thread-safe.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/statusor.h"

namespace mimeo {

// `message` as JsonText (base/json_text.h), fields under their proto names, those without a value too. DataLoss: it
// holds what JSON has no form for, such as a date after the year 9999.
absl::StatusOr<std::string> JsonLine(const google::protobuf::Message& message);

}  // namespace mimeo
