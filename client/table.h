// Tables with aligned columns, for people to read. Thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "base/print.h"

namespace mimeo {

// A table that may grow while it is printed. Columns stand two spaces apart, and the last one is not padded. A long
// table may be printed in parts: a column is then as wide as its widest cell so far, and at most as wide as 60 letters.
// Each cell is made text of one line (base/text.h).
class Table {
 public:
  explicit Table(std::vector<std::string> header);

  // A row may have fewer or more cells than the header.
  void Add(std::vector<std::string> row);
  // A line of its own between the rows, which widens no column.
  void AddLine(const std::string& line);
  // Returns the rows that were added since the last call, one in each line. The words of a column whose header is STATE
  // have the colours of what they say.
  std::vector<Span> Take();

 private:
  const size_t state_column_;  // past the last one where there is none
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;  // a row of one cell is such a line, or the only cell
};

// The text of a whole table, whose first row is the header.
std::string TableText(const std::vector<std::vector<std::string>>& rows);

}  // namespace mimeo
