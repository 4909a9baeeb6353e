#include "data/sample_name.h"

#include "absl/strings/str_cat.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kMost = 200, kBeginning = 60, kEnd = 135;
constexpr size_t kWhole = 64 << 10;  // no file system and no tar has longer names that are of use

bool InsideCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::string ShortName(absl::string_view name) {
  const std::string text = ToText(name, kWhole);
  if (text.size() <= kMost) return text;
  size_t end = text.size() - kEnd;
  while (end < text.size() && InsideCharacter(text[end])) ++end;
  return absl::StrCat(ToText(text, kBeginning), text.substr(end));
}

}  // namespace mimeo
