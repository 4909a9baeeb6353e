// Rows as aligned columns for people. Thread-compatible.
#pragma once

#include <string>
#include <vector>

namespace mimeo {

// Columns of text, two spaces apart; the last one is not padded. A table may come in parts, as a long list does: a
// column is as wide as the widest cell so far, and at most 60. Cells are made text (base/text.h), one line each.
class Table {
 public:
  explicit Table(std::vector<std::string> header) { Add(std::move(header)); }

  void Add(std::vector<std::string> row);
  // The rows since the last call, each on a line.
  std::string Take();

 private:
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

// All of a table at once.
std::string TableText(const std::vector<std::vector<std::string>>& rows);

}  // namespace mimeo
