#include "client/print.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/print.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kErrorLines = 200;
constexpr size_t kHeldBytes = 64 << 10;  // of a line that does not end

}  // namespace

void PrintError(const absl::Status& status) {
  // A peer may send a code without words; an error is never silent.
  const std::string message =
      status.message().empty() ? absl::StatusCodeToString(status.code()) : std::string(status.message());
  const std::vector<absl::string_view> lines = absl::StrSplit(message, '\n');
  std::vector<Span> spans;
  const auto add = [&](const std::string& line) {
    spans.push_back({"mimeo: ", Colour::kRed});
    spans.push_back({absl::StrCat(line, "\n")});
  };
  for (size_t i = 0; i < lines.size() && i < kErrorLines; ++i) add(ToLines(lines[i]));
  if (lines.size() > kErrorLines) {
    add(absl::StrCat("and ", Counted(static_cast<int64_t>(lines.size() - kErrorLines), "line"), " more"));
  }
  PrintSpans(stderr, spans);
}

PrintedLines::~PrintedLines() { PrintRenamed(held_); }

void PrintedLines::PrintRenamed(absl::string_view lines) {
  Print(out_,
        renamed_.first.empty() ? std::string(lines) : absl::StrReplaceAll(lines, {{renamed_.first, renamed_.second}}));
}

void PrintedLines::Add(absl::string_view piece) {
  held_.append(piece.data(), piece.size());
  size_t ready = held_.rfind('\n') + 1;  // 0: no line has ended
  // A line without end is printed in parts that break between characters, of which one has at most four bytes.
  if (ready == 0 && held_.size() > kHeldBytes) {
    for (ready = held_.size() - 4; ready < held_.size() && (held_[ready] & 0xC0) == 0x80;) ++ready;
  }
  if (ready == 0) return;
  PrintRenamed(absl::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
}

}  // namespace mimeo
