#include "job/problem_list.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/limits.h"

namespace mimeo {

bool IsName(absl::string_view text, bool lower_only) {
  if (text.empty() || text.size() > static_cast<size_t>(lower_only ? 32 : limits::kNameBytes)) return false;
  return std::all_of(text.begin(), text.end(), [lower_only](char c) {
    return absl::ascii_isdigit(c) || c == '_' ||
           (lower_only ? absl::ascii_islower(c) : absl::ascii_isalpha(c) || c == '.' || c == '-');
  });
}

std::string NearestMultiples(int64_t wanted, int64_t unit) {
  const int64_t below = wanted / unit * unit;
  return below > 0 ? absl::StrCat(below, ", ", below + unit) : absl::StrCat(below + unit);
}

void CheckTransformer(const std::string& path, const TransformerFields& names, int width, int depth, int heads,
                      ProblemList* problems) {
  problems->InRange(absl::StrCat(path, names.depth), depth, 1, 1000);
  if (!problems->InRange(absl::StrCat(path, names.heads), heads, 1, 1024)) return;
  if (!problems->InRange(absl::StrCat(path, names.width), width, 4, 65536)) return;
  const int64_t unit = heads % 4 == 0 ? heads : heads % 2 == 0 ? heads * 2 : heads * 4;
  if (width % 4 != 0 || width % heads != 0) {
    problems->Add(absl::StrCat(path, names.width), width, " is not a multiple of 4 and of ", heads,
                  " heads; nearest that fit: ", NearestMultiples(width, unit));
  }
}

}  // namespace mimeo
