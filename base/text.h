// Bytes from outside as text. Pure functions; thread-safe.
//
// File names, logs, texts of exceptions, command lines, the environment and what peers say are bytes. Where they enter
// a proto, a journal event, JSON, a log line or a terminal, one of these two makes text of them: valid UTF-8 without
// control characters, so that the proto can be encoded, the JSON be read, and no escape sequence reaches a terminal.
//
// What is no text is written out: a byte that is not UTF-8 and a control character of one byte as \xNN, any other
// control or direction character (U+0080 to U+009F, U+2028, U+202E, ...) as \u{NNNN}. A backslash stays one, so that
// text which was made once stays as it is when it is made again.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace mimeo {

// One line: new lines and tabs are written out too. For names, and for what becomes part of a message. Longer than
// `bytes_max` bytes, it is cut between characters and ends in " ...". REQUIRES: bytes_max >= 8.
std::string ToText(absl::string_view bytes, size_t bytes_max = limits::kReasonBytes);

// Several lines: new lines and tabs stay. For whole messages and the ends of logs.
std::string ToLines(absl::string_view bytes, size_t bytes_max = limits::kReasonBytes);

// Whether it is UTF-8 as protobuf's string fields demand: for values that must not be changed, such as paths, and are
// refused instead.
bool IsUtf8(absl::string_view bytes);

}  // namespace mimeo
