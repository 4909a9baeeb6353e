// How every part of this system writes JSON, for programs that read it. Pure; thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace mimeo {

// `json` on one line, without a line break at its end. Every name and string in it is made text first (base/text.h):
// JSON must be UTF-8, the library throws an exception where it is not, and the output may end on a terminal. A number
// that is not finite becomes null, because JSON has no word for it.
std::string JsonText(const nlohmann::ordered_json& json);

}  // namespace mimeo
