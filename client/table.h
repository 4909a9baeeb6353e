// Rows as aligned columns for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace mimeo {

// The first row is the header. Columns are two spaces apart; the last one is not padded.
std::string TableText(const std::vector<std::vector<std::string>>& rows);

// `text` (UTF-8) as one line of at most `width` characters: line breaks and other control characters become spaces, and "..." ends
// what was cut. What other machines say goes through here before it reaches a terminal.
std::string OneLine(absl::string_view text, size_t width);

}  // namespace mimeo
