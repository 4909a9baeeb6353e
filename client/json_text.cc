#include "client/json_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/json_text.h"

namespace mimeo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using OrderedJson = nlohmann::ordered_json;

void MakeNumbers(const Descriptor& descriptor, OrderedJson* json);

// Protobuf writes whole numbers of 64 bits and durations as strings, because JavaScript's numbers are too small for
// some of them. Scripts compute with them, and JSON itself has numbers of any size.
void MakeNumber(const FieldDescriptor& field, OrderedJson* value) {
  if (value->is_array() && field.is_repeated() && !field.is_map()) {
    for (OrderedJson& element : *value) MakeNumber(field, &element);
    return;
  }
  if (field.is_map()) {
    for (auto& [key, element] : value->items()) MakeNumber(*field.message_type()->map_value(), &element);
    return;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    if (field.message_type()->full_name() != "google.protobuf.Duration")
      return MakeNumbers(*field.message_type(), value);
    absl::Duration duration;
    if (value->is_string() && absl::ParseDuration(value->get<std::string>(), &duration)) {
      *value = absl::ToDoubleSeconds(duration);
    }
    return;
  }
  if (!value->is_string()) return;
  const std::string digits = value->get<std::string>();
  if (int64_t whole = 0; field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 && absl::SimpleAtoi(digits, &whole)) {
    *value = whole;
  }
  if (uint64_t whole = 0; field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64 && absl::SimpleAtoi(digits, &whole)) {
    *value = whole;
  }
}

void MakeNumbers(const Descriptor& descriptor, OrderedJson* json) {
  if (!json->is_object()) return;
  for (auto& [name, value] : json->items()) {
    const FieldDescriptor* const field = descriptor.FindFieldByName(name);
    if (field != nullptr) MakeNumber(*field, &value);
  }
}

}  // namespace

absl::StatusOr<std::string> JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  auto json = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (status.ok() && !json.is_discarded()) {
    MakeNumbers(*message.GetDescriptor(), &json);
    return JsonText(json);
  }
  return absl::DataLossError(absl::StrCat("the coordinator's ", message.GetDescriptor()->name(),
                                          " cannot be written as JSON: ", status.ToString()));
}

}  // namespace mimeo
