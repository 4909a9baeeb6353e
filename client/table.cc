#include "client/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace mimeo {

std::string TableText(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&text, row[i]);
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    text.push_back('\n');
  }
  return text;
}

std::string OneLine(absl::string_view text, size_t width) {
  constexpr absl::string_view kCut = "...";
  const auto starts_character = [](char byte) { return (byte & 0xC0) != 0x80; };
  const size_t length = static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
  const bool cut = length > width;
  const size_t kept = !cut ? length : width > kCut.size() ? width - kCut.size() : 0;
  std::string line;
  size_t taken = 0;
  for (const char byte : text) {
    if (starts_character(byte) && ++taken > kept) break;
    line.push_back(absl::ascii_iscntrl(static_cast<unsigned char>(byte)) ? ' ' : byte);
  }
  return cut ? absl::StrCat(line, kCut.substr(0, std::min(width, kCut.size()))) : line;
}

}  // namespace mimeo
