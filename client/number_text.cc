#include "client/number_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mimeo {

std::string Grouped(int64_t number) {
  std::string text = absl::StrCat(number);
  for (int at = static_cast<int>(text.size()) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), ",");
  return text;
}

std::string DurationText(double seconds) {
  if (seconds < 90) return absl::StrFormat("%.0f s", seconds);
  if (seconds < 90 * 60) return absl::StrFormat("%.1f minutes", seconds / 60);
  return absl::StrFormat("%.1f hours", seconds / 3600);
}

}  // namespace mimeo
