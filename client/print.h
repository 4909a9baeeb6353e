// The one place where `mimeo` writes to a terminal, a pipe or a log: whatever it says is made text first (base/text.h),
// for names of files, words of a coordinator of any version and what a child process writes are bytes from outside.
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

// "mimeo: <line>" to stderr for each line of the message: at most limits::kReasonBytes of each, and of very many lines
// the first.
void PrintError(const absl::Status& status);

// What a child process writes, line by line as it comes. Thread-compatible.
class PrintedLines {
 public:
  explicit PrintedLines(std::FILE* out) : out_(out) {}
  ~PrintedLines();  // prints a last line that has no end

  void Add(absl::string_view piece);

 private:
  std::FILE* const out_;
  std::string held_;  // of the line that has not ended
};

}  // namespace mimeo
