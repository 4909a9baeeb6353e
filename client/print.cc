#include "client/print.h"

#include <vector>

#include "absl/strings/str_cat.h"
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
  std::string text;
  for (size_t i = 0; i < lines.size() && i < kErrorLines; ++i) {
    absl::StrAppend(&text, "mimeo: ", ToLines(lines[i]), "\n");
  }
  if (lines.size() > kErrorLines) {
    absl::StrAppend(&text, "mimeo: and ", Counted(static_cast<int64_t>(lines.size() - kErrorLines), "line"), " more\n");
  }
  Print(stderr, text);
}

PrintedLines::~PrintedLines() { Print(out_, held_); }

void PrintedLines::Add(absl::string_view piece) {
  held_.append(piece.data(), piece.size());
  size_t ready = held_.rfind('\n') + 1;  // 0: no line has ended
  // A line without end is printed in parts that break between characters, of which one has at most four bytes.
  if (ready == 0 && held_.size() > kHeldBytes) {
    for (ready = held_.size() - 4; ready < held_.size() && (held_[ready] & 0xC0) == 0x80;) ++ready;
  }
  if (ready == 0) return;
  Print(out_, absl::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
}

}  // namespace mimeo
