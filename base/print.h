// Output that a person reads on a terminal, in a pipe or in a log. All of it is made text first (base/text.h), because
// names of files, words of a peer and what a child process writes are bytes from outside, and an escape sequence among
// them could do anything to a terminal. Functions are thread-safe, classes thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// All of `bytes` as text that may have several lines: nothing is cut, whatever its length.
std::string WholeText(absl::string_view bytes);

// `bytes` as one line of text of at most `width` columns (base/columns.h). Line breaks and tabs become spaces. Where
// something is cut off, "..." stands at the end, within the width.
std::string OneLine(absl::string_view bytes, size_t width);

// "1 slot", "4 slots".
std::string Counted(int64_t count, absl::string_view noun);

// Writes WholeText(bytes) to `out`, and flushes it.
void Print(std::FILE* out, absl::string_view bytes);

// Whether `out` is a terminal on which text can be redrawn: TERM=dumb says that it is not.
bool IsTerminal(std::FILE* out);
// Whether `out` may have colours: it is such a terminal, and NO_COLOR is not set (no-color.org).
bool TakesColours(std::FILE* out);

enum class Colour { kNone, kRed, kGreen, kYellow };
struct Span {
  std::string bytes;
  Colour colour = Colour::kNone;
};
// As Print, one span behind the other, with their colours where `out` takes them. This is the only place that writes
// colours.
void PrintSpans(std::FILE* out, const std::vector<Span>& spans);

// Whether all that was printed to `out` so far is written, so that nobody takes a part of an answer for all of it.
// ResourceExhausted: it is not, because the disk behind `out` is full, or nothing can be written there.
absl::Status Printed(std::FILE* out);

// A line that says how far something has come. On a terminal it is one line, which is redrawn in place and cut to the
// terminal's width. In a pipe or a file each Show is a line of its own. `out` must outlive this object.
class RedrawnLine {
 public:
  explicit RedrawnLine(std::FILE* out);

  // Whether `out` is a terminal (IsTerminal). Elsewhere a caller should show less: every Show stays there.
  bool terminal() const { return terminal_; }
  void Show(absl::string_view bytes);
  // Writes a line of its own, which stays, above the one that is redrawn.
  void Say(absl::string_view line);
  // Leaves the newest line as it stands. What is written next, by anybody, begins below it.
  void End();

 private:
  void Clear();

  std::FILE* const out_;
  const bool terminal_;
  bool shown_ = false;
};

}  // namespace mimeo
