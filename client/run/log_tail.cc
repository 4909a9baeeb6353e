#include "client/run/log_tail.h"

#include <algorithm>
#include <fstream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kLines = 12;
constexpr int64_t kBytes = 64 << 10;  // that are read, from the end

}  // namespace

std::string LogTail(const std::string& path) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  const int64_t size = in.good() ? static_cast<int64_t>(in.tellg()) : 0;
  std::string text(static_cast<size_t>(std::min(size, kBytes)), '\0');
  in.seekg(size - static_cast<int64_t>(text.size()));
  in.read(&text[0], static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(0, in.gcount())));
  const absl::string_view trimmed = absl::StripTrailingAsciiWhitespace(text);
  if (trimmed.empty()) return "";
  const std::vector<absl::string_view> lines = absl::StrSplit(trimmed, '\n');
  std::string tail;
  for (size_t i = lines.size() - std::min(lines.size(), kLines); i < lines.size(); ++i) {
    absl::StrAppend(&tail, "\n  | ", ToText(lines[i], limits::kShortReasonBytes));
  }
  return tail;
}

}  // namespace mimeo
