// Numbers as people read them: never with an exponent. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace mimeo {

// "12", "3,000", "1,234,567". REQUIRES: not negative.
std::string Grouped(int64_t number);

// "40,460", "3.14", "0.00024": rounded to so many digits, but whole from 1,000 on. "nan" and "inf" where it is no
// number.
std::string NumberText(double value, int digits = 3);

// "85.8 M", "112 M", "900".
std::string CountText(double count);

// "1.2 GiB", "639 MiB".
std::string BytesText(int64_t bytes);

// "40 s", "9.2 min", "100 min", "3 h 20 min", "10.0 days".
std::string DurationText(double seconds);

// For a column of a table, in the largest whole unit: "45s", "12m", "3h", "5d", and "999d" at most. What is negative is
// "0s".
std::string ShortDurationText(double seconds);

}  // namespace mimeo
