// What `mimeo` prints beside its answers: errors, and what its child processes write. All of it is made text
// (base/print.h), so nothing that a peer or a child says can control the terminal.
#pragma once

#include <cstdio>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// Writes the message, or the code of an error without one, to stderr, with "mimeo: " before each of its lines. A line
// is cut to limits::kReasonBytes, and of more than 200 lines the first ones are printed, with the number of the others.
void PrintError(const absl::Status& status);

// Prints what a child process writes, line by line, as it arrives. A line is held back until it has ended, so that the
// lines of two children do not mix and no character is cut in two. Thread-compatible.
class PrintedLines {
 public:
  // `out` must outlive this object.
  explicit PrintedLines(std::FILE* out) : out_(out) {}
  // From now on `name` is printed in place of `path`, a file that a person never named.
  void Rename(std::string path, std::string name) { renamed_ = {std::move(path), std::move(name)}; }
  // Prints a last line that has no line break.
  ~PrintedLines();
  // Takes what the child wrote, in pieces of any size. A line that grows beyond 64 KiB is printed in parts.
  void Add(absl::string_view piece);

 private:
  void PrintRenamed(absl::string_view lines);

  std::FILE* const out_;
  std::string held_;  // The beginning of a line that has not ended yet.
  std::pair<std::string, std::string> renamed_;
};

}  // namespace mimeo
