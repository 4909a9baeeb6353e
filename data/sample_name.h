// The names of files and members as they stand in messages. A pure function.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// A name is bytes, and this is its text (base/text.h), at most 200 bytes long. Of a longer one only the beginning and
// the end are kept, so that a message of bounded length has room for the reason too.
std::string ShortName(absl::string_view name);

}  // namespace mimeo
