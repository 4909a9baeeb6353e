#include "base/text.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace mimeo {
namespace {

constexpr absl::string_view kCut = " ...";

// The character that `bytes` begins with. REQUIRES: not empty.
struct Character {
  size_t size = 0;  // bytes; 0: no UTF-8
  uint32_t code = 0;
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Character FirstCharacter(absl::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])); };
  const uint32_t lead = byte(0);
  if (lead < 0x80) return {1, lead};
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || bytes.size() < size) return {};
  uint32_t code = lead & (0xFFu >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = code < (size == 2 ? 0x80u : size == 3 ? 0x800u : 0x10000u);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  if (overlong || surrogate || code > 0x10FFFF) return {};
  return {size, code};
}

// Control characters, and those that turn the direction of what follows or break lines: a terminal or a log's reader
// obeys them.
bool IsControl(uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C || (code >= 0x200E && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

std::string MakeText(absl::string_view bytes, size_t bytes_max, bool lines) {
  std::string text;
  size_t fits = 0;  // the longest beginning that leaves room for the mark of a cut
  while (!bytes.empty()) {
    const Character character = FirstCharacter(bytes);
    const size_t size = character.size == 0 ? 1 : character.size;
    const bool kept = lines && (character.code == '\n' || character.code == '\t');
    std::string piece(bytes.substr(0, size));
    if (character.size == 0 || (IsControl(character.code) && !kept)) {
      piece = size == 1 ? absl::StrFormat("\\x%02x", static_cast<unsigned char>(bytes[0]))
                        : absl::StrFormat("\\u{%x}", character.code);
    }
    if (text.size() + piece.size() > bytes_max) return absl::StrCat(text.substr(0, fits), kCut);
    text += piece;
    if (text.size() + kCut.size() <= bytes_max) fits = text.size();
    bytes.remove_prefix(size);
  }
  return text;
}

}  // namespace

std::string ToText(absl::string_view bytes, size_t bytes_max) { return MakeText(bytes, bytes_max, /*lines=*/false); }

std::string ToLines(absl::string_view bytes, size_t bytes_max) { return MakeText(bytes, bytes_max, /*lines=*/true); }

bool IsUtf8(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t size = FirstCharacter(bytes).size;
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

}  // namespace mimeo
