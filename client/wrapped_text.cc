#include "client/wrapped_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/columns.h"

namespace mimeo {

std::string WrappedText(absl::string_view text, size_t columns, size_t indent) {
  std::string wrapped;
  std::string line;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const bool begun = line.size() > (wrapped.empty() ? 0 : indent);
    if (begun && ColumnsOf(line) + 1 + ColumnsOf(word) > columns) {
      absl::StrAppend(&wrapped, line, "\n");
      line = std::string(indent, ' ');
      line.append(word.data(), word.size());
      continue;
    }
    absl::StrAppend(&line, begun ? " " : "", word);
  }
  return absl::StrCat(wrapped, line, "\n");
}

}  // namespace mimeo
