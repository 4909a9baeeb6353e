#include "client/json_text.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "client/print.h"

namespace mimeo {
namespace {

using Json = nlohmann::ordered_json;

// The deepest message of ours nests a few levels: this ends because `json` does.
Json Texts(const Json& json) {
  if (json.is_string()) return WholeText(json.get_ref<const std::string&>());
  if (!json.is_structured()) return json;
  Json made = json.is_array() ? Json::array() : Json::object();
  for (const auto& [name, value] : json.items()) {
    if (json.is_array()) {
      made.push_back(Texts(value));
    } else {
      made[ToText(name)] = Texts(value);
    }
  }
  return made;
}

}  // namespace

std::string JsonText(const Json& json) { return Texts(json).dump(); }

absl::StatusOr<std::string> JsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(message, &text, options);
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (status.ok() && !json.is_discarded()) return JsonText(json);
  return absl::DataLossError(absl::StrCat("the coordinator's ", message.GetDescriptor()->name(),
                                          " cannot be written as JSON: ", status.ToString()));
}

}  // namespace mimeo
