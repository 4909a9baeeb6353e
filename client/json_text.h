// JSON for `mimeo -o json`, for metrics.jsonl and for the summary of a run. Pure functions.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace mimeo {

// The value on one line. Every name and string in it is made text (base/text.h), so that neither a reader of JSON nor a
// terminal meets a byte that is no text. A number that is not finite becomes null, because JSON has none for it.
std::string JsonText(const nlohmann::ordered_json& json);

// `message` as JSON on one line, made text as in JsonText. Fields have their proto names, and fields without a value
// are there too. DataLoss: it holds something that JSON has no form for, such as a date after the year 9999.
absl::StatusOr<std::string> JsonLine(const google::protobuf::Message& message);

}  // namespace mimeo
