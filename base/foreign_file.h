// What a file is that stands where weights should be: the pointer that a clone without Git LFS has, the page or the
// error that a server sent, an unfinished download. Pure functions; thread-safe.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// Says what these bytes are and what to do about it: "it is empty: download it again". "": nothing that is known here.
// To be asked for bytes that could not be read as what they should be. Reads only their beginning. The result is text
// (base/text.h), whatever the bytes are.
std::string ForeignFile(absl::string_view bytes);

}  // namespace mimeo
