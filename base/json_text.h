// JSON as we write it. Pure; thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mimeo {

// On one line. Every name and string in it is made text (base/text.h): the library throws at bytes that are no UTF-8,
// and neither JSON's reader nor a terminal behind it should meet what is no text. What is not finite is null: JSON has
// no other way.
std::string JsonText(const nlohmann::ordered_json& json);

}  // namespace mimeo
