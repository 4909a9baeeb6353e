#include "client/shell_word.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/text.h"

namespace mimeo {
namespace {

bool IsPlain(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("_-./=:,+@%", c);
}

// Bytes that are no text, and control characters.
std::string Escaped(absl::string_view word) {
  std::string text = "$'";
  for (const char c : word) {
    if (absl::ascii_isprint(static_cast<unsigned char>(c)) && c != '\'' && c != '\\') {
      text.push_back(c);
    } else {
      absl::StrAppendFormat(&text, "\\x%02x", static_cast<unsigned char>(c));
    }
  }
  return text + "'";
}

}  // namespace

std::string ShellWord(absl::string_view word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), IsPlain)) return std::string(word);
  if (ToText(word, word.size() + 8) != word) return Escaped(word);
  return absl::StrCat("'", absl::StrReplaceAll(word, {{"'", R"('\'')"}}), "'");
}

}  // namespace mimeo
