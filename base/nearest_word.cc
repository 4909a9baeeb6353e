#include "base/nearest_word.h"

#include <algorithm>
#include <limits>

namespace mimeo {
namespace {

constexpr size_t kLongest = 64;  // of a word; the work is the product of two lengths
constexpr size_t kFar = std::numeric_limits<size_t>::max();
constexpr size_t kPrefix = 3;  // letters; every word begins with one of one or two

// Optimal string alignment: edits of one letter, and swaps of two neighbours.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> edits(a.size() + 1, std::vector<size_t>(b.size() + 1, 0));
  for (size_t i = 0; i <= a.size(); ++i) edits[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) edits[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = edits[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      edits[i][j] = std::min({edits[i - 1][j] + 1, edits[i][j - 1] + 1, changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
      }
    }
  }
  return edits[a.size()][b.size()];
}

size_t HowFar(absl::string_view given, absl::string_view word) {
  const size_t distance = Distance(given, word);
  if (distance <= std::max<size_t>(1, std::max(given.size(), word.size()) / 3)) return distance;
  const size_t shorter = std::min(given.size(), word.size());
  if (shorter >= kPrefix && given.substr(0, shorter) == word.substr(0, shorter)) return distance;
  return kFar;
}

}  // namespace

std::string NearestWord(absl::string_view given, const std::vector<std::string>& known) {
  std::string nearest;
  size_t best = kFar;
  if (given.size() > kLongest) return nearest;
  for (const std::string& word : known) {
    if (word.size() > kLongest) continue;
    const size_t distance = HowFar(given, word);
    if (distance >= best) continue;
    best = distance;
    nearest = word;
  }
  return nearest;
}

}  // namespace mimeo
