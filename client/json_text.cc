#include "client/json_text.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "base/json_text.h"

namespace mimeo {

absl::StatusOr<std::string> JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  const auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (status.ok() && !json.is_discarded()) return JsonText(json);
  return absl::DataLossError(absl::StrCat("the coordinator's ", message.GetDescriptor()->name(),
                                          " cannot be written as JSON: ", status.ToString()));
}

}  // namespace mimeo
