// What a person reads on a terminal, in a pipe or in a log. Whatever is printed is made text first (base/text.h): names
// of files, words of a peer of any version and what a child process writes are bytes from outside. Functions are
// thread-safe, classes thread-compatible.
#pragma once

#include <cstddef>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// The whole of `bytes` as text of several lines.
std::string WholeText(absl::string_view bytes);

// `bytes` as one line of text of at most `width` characters: line breaks and tabs become spaces, and "..." ends what
// was cut.
std::string OneLine(absl::string_view bytes, size_t width);

// Writes WholeText(bytes) to `out`, and flushes it.
void Print(std::FILE* out, absl::string_view bytes);

// How far something has come: on a terminal one line that is redrawn in place and cut to its width, elsewhere a plain
// line each time. `out` outlives this.
class RedrawnLine {
 public:
  explicit RedrawnLine(std::FILE* out);

  bool terminal() const { return terminal_; }
  void Show(absl::string_view bytes);
  void Say(absl::string_view line);  // a line of its own, above the one that is redrawn
  void End();                        // the line that is redrawn stays, and what follows begins below it

 private:
  void Clear();

  std::FILE* const out_;
  const bool terminal_;
  bool shown_ = false;
};

}  // namespace mimeo
