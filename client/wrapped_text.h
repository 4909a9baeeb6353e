// Sentences on lines of a terminal's width. Pure; thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// The width of the lines that people read, in columns (base/columns.h).
constexpr size_t kLineColumns = 80;

// `text` on lines of at most `columns`, broken between words; each line ends with a line break, and each but the first
// begins with `indent` spaces. A word that is longer than a line stands on a line of its own.
std::string WrappedText(absl::string_view text, size_t columns = kLineColumns, size_t indent = 0);

}  // namespace mimeo
