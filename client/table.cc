#include "client/table.h"

#include <algorithm>

#include "base/columns.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kWidest = 60;

}  // namespace

void Table::Add(std::vector<std::string> row) {
  widths_.resize(std::max(widths_.size(), row.size()));
  for (size_t i = 0; i < row.size(); ++i) {
    row[i] = ToText(row[i]);
    widths_[i] = std::max(widths_[i], std::min(ColumnsOf(row[i]), kWidest));
  }
  rows_.push_back(std::move(row));
}

void Table::AddLine(const std::string& line) { rows_.push_back({ToText(line)}); }

std::string Table::Take() {
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(std::max(widths_[i], ColumnsOf(row[i])) - ColumnsOf(row[i]) + 2, ' ');
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
