#include "base/columns.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace mimeo {
namespace {

struct Range {
  uint32_t first, last;
};

// Unicode's marks that take no room (categories Mn, Me, and the joiners), as far as names are likely to have them.
constexpr Range kNone[] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD},  {0x064B, 0x065F}, {0x1AB0, 0x1AFF},
                           {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x20D0, 0x20F0},  {0x302A, 0x302D}, {0x3099, 0x309A},
                           {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xE0100, 0xE01EF}};

// Unicode Standard Annex 11: wide and full-width characters. Where a block mixes widths, all of it counts as wide: a
// line that is too short is whole, and one that is too long wraps.
constexpr Range kTwo[] = {{0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x4DBF},   {0x4E00, 0xA4CF},
                          {0xA960, 0xA97C},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
                          {0xFF01, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
                          {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD}};

template <size_t kSize>
bool IsIn(const Range (&ranges)[kSize], uint32_t code) {
  const Range* const range = std::lower_bound(std::begin(ranges), std::end(ranges), code,
                                              [](const Range& one, uint32_t wanted) { return one.last < wanted; });
  return range != std::end(ranges) && range->first <= code;
}

bool BeginsCharacter(char byte) { return (byte & 0xC0) != 0x80; }

struct DrawnCharacter {
  size_t bytes;
  size_t columns;
};

// The character that `text` begins with. REQUIRES: not empty.
DrawnCharacter FirstDrawn(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  uint32_t code = lead < 0x80 ? lead : lead & (lead >= 0xF0 ? 0x07 : lead >= 0xE0 ? 0x0F : 0x1F);
  size_t bytes = 1;
  for (; bytes < text.size() && !BeginsCharacter(text[bytes]); ++bytes) code = code << 6 | (text[bytes] & 0x3F);
  return {bytes, IsIn(kNone, code) ? size_t{0} : IsIn(kTwo, code) ? size_t{2} : size_t{1}};
}

}  // namespace

size_t ColumnsOf(absl::string_view text) {
  size_t columns = 0;
  while (!text.empty()) {
    const DrawnCharacter character = FirstDrawn(text);
    columns += character.columns;
    text.remove_prefix(character.bytes);
  }
  return columns;
}

absl::string_view FirstColumns(absl::string_view text, size_t columns) {
  size_t bytes = 0;
  while (bytes < text.size()) {
    const DrawnCharacter character = FirstDrawn(text.substr(bytes));
    if (character.columns > columns) break;
    columns -= character.columns;
    bytes += character.bytes;
  }
  return text.substr(0, bytes);
}

}  // namespace mimeo
