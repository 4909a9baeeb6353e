// What `mimeo` prints beside its answers (base/print.h): errors, and what its children say.
#pragma once

#include <cstdio>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

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
