// JSON as `mimeo -o json`, metrics.jsonl and the summary of a run have it. Pure.
#pragma once

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace mimeo {

// On one line. Every name and string in it is made text (base/text.h), so that neither JSON's reader nor a terminal
// behind it meets a byte that is none. What is not finite is null: JSON has no other way.
std::string JsonText(const nlohmann::ordered_json& json);

// `message` as JsonText, fields under their proto names, those without a value too. DataLoss: it holds what JSON has no
// form for, such as a date after the year 9999.
absl::StatusOr<std::string> JsonLine(const google::protobuf::Message& message);

}  // namespace mimeo
