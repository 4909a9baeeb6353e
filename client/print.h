// What `mimeo` prints beside its answers (base/print.h): errors, and what its children say.
#pragma once

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// "mimeo: <line>" to stderr for each line of the message, or its code where it has no message: at most
// limits::kReasonBytes of each, and of very many lines the first.
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
