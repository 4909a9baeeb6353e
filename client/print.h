// The only place where `mimeo` writes to a terminal, a pipe or a log. Names of files, messages of a coordinator and the
// output of a child process are bytes from outside, so everything is made text before it is written (base/text.h).
#pragma once

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// The whole of `bytes` as text of several lines.
std::string WholeText(absl::string_view bytes);

// Writes WholeText(bytes) to `out`, and flushes it.
void Print(std::FILE* out, absl::string_view bytes);

// Writes "mimeo: <line>" to stderr for each line of the message. A line is cut at limits::kReasonBytes, and of very
// many lines only the first ones are written.
void PrintError(const absl::Status& status);

// Prints what a child process writes, one line at a time, as it arrives. Thread-compatible.
class PrintedLines {
 public:
  explicit PrintedLines(std::FILE* out) : out_(out) {}
  ~PrintedLines();  // Prints a last line that has no line break.

  void Add(absl::string_view piece);

 private:
  std::FILE* const out_;
  std::string held_;  // The beginning of a line that has not ended yet.
};

}  // namespace mimeo
