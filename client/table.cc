#include "client/table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"
#include "base/columns.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kWidest = 60;

// Of the state of a job or a worker: red needs a person, yellow may, green is as it should be in the end.
Colour ColourOf(absl::string_view state) {
  for (const char* word : {"failed", "gone"}) {
    if (state == word) return Colour::kRed;
  }
  for (const char* word : {"paused", "silent", "avoided"}) {
    if (state == word) return Colour::kYellow;
  }
  for (const char* word : {"succeeded", "ready"}) {
    if (state == word) return Colour::kGreen;
  }
  return Colour::kNone;
}

}  // namespace

Table::Table(std::vector<std::string> header)
    : state_column_(static_cast<size_t>(std::find(header.begin(), header.end(), "STATE") - header.begin())) {
  Add(std::move(header));
}

void Table::Add(std::vector<std::string> row) {
  widths_.resize(std::max(widths_.size(), row.size()));
  for (size_t i = 0; i < row.size(); ++i) {
    row[i] = ToText(row[i]);
    widths_[i] = std::max(widths_[i], std::min(ColumnsOf(row[i]), kWidest));
  }
  rows_.push_back(std::move(row));
}

void Table::AddLine(const std::string& line) { rows_.push_back({ToText(line)}); }

std::vector<Span> Table::Take() {
  std::vector<Span> spans;
  for (const auto& row : rows_) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) {
      const Colour colour = i == state_column_ ? ColourOf(row[i]) : Colour::kNone;
      if (colour == Colour::kNone) {
        text += row[i];
      } else {
        spans.push_back({std::exchange(text, "")});
        spans.push_back({row[i], colour});
      }
      if (i + 1 < row.size()) text.append(std::max(widths_[i], ColumnsOf(row[i])) - ColumnsOf(row[i]) + 2, ' ');
    }
    spans.push_back({text + "\n"});
  }
  rows_.clear();
  return spans;
}

std::string TableText(const std::vector<std::vector<std::string>>& rows) {
  if (rows.empty()) return "";
  Table table(rows.front());
  for (size_t i = 1; i < rows.size(); ++i) table.Add(rows[i]);
  std::string text;
  for (const Span& span : table.Take()) text += span.bytes;
  return text;
}

}  // namespace mimeo
