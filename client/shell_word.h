// Words of command lines that a person copies into a shell. Pure; thread-safe.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// `word` as bash reads it as one word: quoted where it needs that, and else as it is. The result is text (base/text.h):
// what is none is written as bash's $'\xNN'.
std::string ShellWord(absl::string_view word);

}  // namespace mimeo
