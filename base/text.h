// Makes text of bytes that come from outside. Pure functions; thread-safe.
//
// Names of files, logs, messages of exceptions, command lines, the environment and words of peers are bytes. Before
// they go into a proto, an event of the journal, JSON, a log or a terminal, one of these two functions makes text of
// them: valid UTF-8 without control characters. So the proto can be encoded, the JSON can be read, and no escape
// sequence reaches a terminal.
//
// What is no text is written out: a byte that is not UTF-8, and a control character of one byte, as \xNN; any other
// control character or mark of direction (U+0080 to U+009F, U+2028, U+202E, ...) as \u{NNNN}. A backslash stays a
// backslash. So text that these functions have made does not change when they are applied to it again.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace mimeo {

// Text of one line: line breaks and tabs are written out too. For names, and for what becomes a part of a message. Text
// of more than `bytes_max` bytes is cut between two characters, and then ends in " ...". REQUIRES: bytes_max >= 8.
std::string ToText(absl::string_view bytes, size_t bytes_max = limits::kReasonBytes);

// The same with line breaks and tabs left as they are. For whole messages and for the ends of logs.
std::string ToLines(absl::string_view bytes, size_t bytes_max = limits::kReasonBytes);

// Whether a string field of protobuf can hold these bytes. For values that must not be changed, such as paths: they are
// refused instead of made text.
bool IsUtf8(absl::string_view bytes);

}  // namespace mimeo
