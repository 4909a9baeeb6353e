#include "client/number_text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mimeo {
namespace {

constexpr int kDecimalsMost = 15;
constexpr double kGroupedMost = 1e15;  // more digits than a person reads, or a double has
constexpr double kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour;

}  // namespace

std::string Grouped(int64_t number) {
  std::string text = absl::StrCat(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), ",");
  return text;
}

std::string NumberText(double value, int digits) {
  const double size = std::abs(value);
  if (!(size < kGroupedMost)) return absl::StrFormat("%.0f", value);
  const std::string sign = value < 0 ? "-" : "";
  if (size >= 999.5) return sign + Grouped(std::llround(size));
  if (size == 0) return "0";
  const int before_point = static_cast<int>(std::floor(std::log10(size))) + 1;
  std::string text = absl::StrFormat("%.*f", std::clamp(digits - before_point, 0, kDecimalsMost), size);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return sign + text;
}

std::string CountText(double count) {
  constexpr const char* kUnits[] = {"", "k", "M", "G", "T", "P", "E"};
  size_t unit = 0;
  while (count >= 1000 && unit + 1 < std::size(kUnits)) count /= 1000, ++unit;
  if (unit == 0) return NumberText(count, 4);
  return absl::StrFormat("%.*f %s", count < 100 ? 1 : 0, count, kUnits[unit]);
}

std::string BytesText(int64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) value /= 1024, ++unit;
  return absl::StrFormat("%.*f %s", value < 100 && unit > 0 ? 1 : 0, value, kUnits[unit]);
}

std::string DurationText(double seconds) {
  if (seconds < 2 * kMinute) return absl::StrFormat("%.0f s", seconds);
  if (seconds < 20 * kMinute) return absl::StrCat(NumberText(std::round(seconds / 6) / 10), " min");
  const int64_t minutes = std::llround(seconds / kMinute);
  if (minutes < 120) return absl::StrCat(minutes, " min");
  const int64_t hours = minutes / 60;
  if (hours < 72) return absl::StrCat(hours, " h ", minutes % 60, " min");
  return absl::StrFormat("%.1f days", seconds / kDay);
}

std::string ShortDurationText(double seconds) {
  const double whole = std::floor(std::max(0.0, seconds));
  if (whole < kMinute) return absl::StrFormat("%.0fs", whole);
  if (whole < kHour) return absl::StrFormat("%.0fm", std::floor(whole / kMinute));
  if (whole < 2 * kDay) return absl::StrFormat("%.0fh", std::floor(whole / kHour));
  return absl::StrFormat("%.0fd", std::min(999.0, std::floor(whole / kDay)));
}

}  // namespace mimeo
