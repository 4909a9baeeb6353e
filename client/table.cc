#include "client/table.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kWidest = 60;

bool StartsCharacter(char byte) { return (byte & 0xC0) != 0x80; }

size_t Characters(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), StartsCharacter));
}

}  // namespace

void Table::Add(std::vector<std::string> row) {
  widths_.resize(std::max(widths_.size(), row.size()));
  for (size_t i = 0; i < row.size(); ++i) {
    row[i] = ToText(row[i]);
    widths_[i] = std::max(widths_[i], std::min(Characters(row[i]), kWidest));
  }
  rows_.push_back(std::move(row));
}

std::string Table::Take() {
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(std::max(widths_[i], Characters(row[i])) - Characters(row[i]) + 2, ' ');
    }
    text.push_back('\n');
  }
  rows_.clear();
  return text;
}

std::string TableText(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "";
  Table table(rows.front());
  for (size_t i = 1; i < rows.size(); ++i) table.Add(rows[i]);
  return table.Take();
}

}  // namespace mimeo
