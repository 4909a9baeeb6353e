// Names of files and members in messages. A pure function.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// A name is bytes: this is its text (base/text.h). Of a long one only the beginning and the end, so that in a message
// of bounded length there is room for the reason. At most 200 bytes.
std::string ShortName(absl::string_view name);

}  // namespace mimeo
