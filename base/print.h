// What a person reads on a terminal, in a pipe or in a log. Whatever is printed is made text first (base/text.h): names
// of files, words of a peer of any version and what a child process writes are bytes from outside. Functions are
// thread-safe, classes thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// The whole of `bytes` as text of several lines.
std::string WholeText(absl::string_view bytes);

// `bytes` as one line of text of at most `width` columns (base/columns.h): line breaks and tabs become spaces, and
// "..." ends what was cut.
std::string OneLine(absl::string_view bytes, size_t width);

// "1 slot", "4 slots".
std::string Counted(int64_t count, absl::string_view noun);

// Writes WholeText(bytes) to `out`, and flushes it.
void Print(std::FILE* out, absl::string_view bytes);

// Whether all that was printed to `out` so far is written, so that nobody takes a part of an answer for all of it.
// ResourceExhausted: it is not, because the disk behind `out` is full, or nothing can be written there.
absl::Status Printed(std::FILE* out);

// How far something has come: on a terminal one line that is redrawn in place and cut to its width, elsewhere a plain
// line each time. `out` outlives this.
class ProgressLine {
 public:
  explicit ProgressLine(std::FILE* out);

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
