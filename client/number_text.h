// Numbers as people read them. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace mimeo {

// "12", "3,000", "1,234,567". REQUIRES: not negative.
std::string Grouped(int64_t number);

// "40 s", "9.5 minutes", "2.3 hours".
std::string DurationText(double seconds);

}  // namespace mimeo
