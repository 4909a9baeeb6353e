// Rows as aligned columns for people. Pure.
#pragma once

#include <string>
#include <vector>

namespace mimeo {

// The first row is the header. Columns are two spaces apart; the last one is not padded.
std::string TableText(const std::vector<std::vector<std::string>>& rows);

}  // namespace mimeo
