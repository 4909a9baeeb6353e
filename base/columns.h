// How much room text takes on a terminal. Pure functions; thread-safe. Text is UTF-8 without control characters
// (base/text.h).
#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace mimeo {

// The columns that `text` takes. A wide character (Chinese, Japanese, Korean, a picture) takes two, an accent that is
// drawn over the character before it takes none, and every other one takes one.
size_t ColumnsOf(absl::string_view text);

// The longest beginning of `text` that takes at most `columns`.
absl::string_view FirstColumns(absl::string_view text, size_t columns);

}  // namespace mimeo
