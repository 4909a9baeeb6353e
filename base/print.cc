#include "base/print.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/columns.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kPlainWidth = 400;

// Of the terminal behind `out`, as it is now: a line that wraps cannot be redrawn in place.
size_t TerminalWidth(std::FILE* out) {
  winsize size{};
  return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - size_t{1} : 79;
}

constexpr absl::string_view kPlainAgain = "\033[0m";

absl::string_view CodeOf(Colour colour) {
  switch (colour) {
    case Colour::kRed:
      return "\033[31m";
    case Colour::kGreen:
      return "\033[32m";
    case Colour::kYellow:
      return "\033[33m";
    case Colour::kNone:
      break;
  }
  return "";
}

}  // namespace

std::string WholeText(absl::string_view bytes) { return ToLines(bytes, std::numeric_limits<size_t>::max()); }

std::string OneLine(absl::string_view bytes, size_t width) {
  constexpr absl::string_view kCut = "...";
  const std::string text = ToText(absl::StrReplaceAll(bytes, {{"\n", " "}, {"\t", " "}}));
  if (ColumnsOf(text) <= width) return text;
  const absl::string_view cut = kCut.substr(0, std::min(width, kCut.size()));
  return absl::StrCat(FirstColumns(text, width - cut.size()), cut);
}

std::string Counted(int64_t count, absl::string_view noun) {
  return absl::StrCat(count, " ", noun, count == 1 ? "" : "s");
}

void Print(std::FILE* out, absl::string_view bytes) {
  const std::string text = WholeText(bytes);
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

bool IsTerminal(std::FILE* out) {
  const char* const kind = std::getenv("TERM");
  return isatty(fileno(out)) == 1 && (kind == nullptr || absl::string_view(kind) != "dumb");
}

bool TakesColours(std::FILE* out) {
  const char* const unwanted = std::getenv("NO_COLOR");
  return IsTerminal(out) && (unwanted == nullptr || *unwanted == '\0');
}

void PrintSpans(std::FILE* out, const std::vector<Span>& spans) {
  const bool coloured = TakesColours(out);
  std::string text;
  for (const Span& span : spans) {
    const bool plain = !coloured || span.colour == Colour::kNone;
    absl::StrAppend(&text, plain ? "" : CodeOf(span.colour), WholeText(span.bytes), plain ? "" : kPlainAgain);
  }
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

absl::Status Printed(std::FILE* out) {
  if (std::ferror(out) == 0) return absl::OkStatus();
  return absl::ResourceExhaustedError("not all of the output could be written: is the disk full?");
}

RedrawnLine::RedrawnLine(std::FILE* out) : out_(out), terminal_(IsTerminal(out)) {}

void RedrawnLine::Show(absl::string_view bytes) {
  const std::string text = OneLine(bytes, terminal_ ? TerminalWidth(out_) : kPlainWidth);
  if (!terminal_) return Print(out_, absl::StrCat(text, "\n"));
  Clear();
  Print(out_, text);
  shown_ = true;
}

void RedrawnLine::Say(absl::string_view line) {
  if (shown_) Clear();
  Print(out_, absl::StrCat(line, "\n"));
  shown_ = false;
}

void RedrawnLine::End() {
  if (shown_) Print(out_, "\n");
  shown_ = false;
}

// Besides colours the only control characters that reach a terminal: to the line's beginning, and away with what stands
// there.
void RedrawnLine::Clear() { std::fputs("\r\033[K", out_); }

}  // namespace mimeo
