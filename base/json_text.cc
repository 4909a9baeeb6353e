#include "base/json_text.h"

#include "base/print.h"
#include "base/text.h"

namespace mimeo {
namespace {

using OrderedJson = nlohmann::ordered_json;

// What we write nests a few levels.
OrderedJson Texts(const OrderedJson& json) {
  if (json.is_string()) return WholeText(json.get_ref<const std::string&>());
  if (!json.is_structured()) return json;
  OrderedJson made = json.is_array() ? OrderedJson::array() : OrderedJson::object();
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

std::string JsonText(const OrderedJson& json) { return Texts(json).dump(); }

}  // namespace mimeo
