#include "worker/agent/log_piece.h"

#include <algorithm>
#include <fstream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/log_limits.h"
#include "base/text.h"
#include "worker/agent/rank_launch.h"

namespace mimeo {
namespace {

int64_t SizeOf(std::ifstream& file) {
  file.seekg(0, std::ios::end);
  return static_cast<int64_t>(file.tellg());
}

std::string Read(std::ifstream& file, int64_t begin, int64_t bytes) {
  std::string text(static_cast<size_t>(bytes), '\0');
  file.seekg(begin);
  file.read(&text[0], bytes);
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

// Without a beginning that is no whole line.
void DropPartOfLine(std::string* text) {
  const size_t line = text->find('\n');
  if (line != std::string::npos) text->erase(0, line + 1);
}

// The last lines of `text`. Whether something was left out.
bool KeepLines(int lines, std::string* text) {
  if (lines <= 0 || text->empty()) return false;
  size_t begin = text->size() - (text->back() == '\n' ? 1 : 0);
  for (int kept = 0; begin > 0; --begin) {
    if ((*text)[begin - 1] != '\n') continue;
    if (++kept == lines) break;
  }
  text->erase(0, begin);
  return begin > 0;
}

// What the log had before it grew too long and began anew (BoundRankLog): as much of its end as fits.
std::string EndOfOld(const std::string& path, int64_t bytes) {
  std::ifstream old(path + ".old", std::ios::binary);
  if (!old || bytes <= 0) return "";
  const int64_t size = SizeOf(old);
  std::string text = Read(old, std::max<int64_t>(0, size - bytes), std::min(size, bytes));
  if (size > bytes) DropPartOfLine(&text);
  return text;
}

// Of a rank that still prints: how many bytes of `text` are whole lines.
size_t WholeLines(const std::string& text) {
  const size_t line = text.rfind('\n');
  if (line != std::string::npos) return line + 1;
  return text.size() >= static_cast<size_t>(limits::kLogPieceBytes) ? text.size() : 0;
}

LogPiece Failed(const LogWish& wish, const absl::Status& status) {
  LogPiece piece;
  piece.set_wish_id(wish.id());
  piece.set_status_code(static_cast<int>(status.code()));
  piece.set_message(ToText(status.message()));
  return piece;
}

bool IsPlain(const std::string& job_id) {
  return !job_id.empty() && std::all_of(job_id.begin(), job_id.end(),
                                        [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); });
}

}  // namespace

LogPiece ReadLogPiece(const std::string& dir, const LogWish& wish, bool ended) {
  if (!IsPlain(wish.job_id())) {
    return Failed(wish, absl::InvalidArgumentError("job_id: letters and digits alone name a job"));
  }
  const RankKey key = {wish.job_id(), wish.generation(), wish.rank()};
  const std::string path = RankLogPath(dir, key);
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Failed(wish, absl::NotFoundError(absl::StrCat(
                            "the worker has no log of rank ", key.rank, " of generation ", key.generation, " of ",
                            key.job_id, ": it was not started there yet, or so long ago that its log was deleted")));
  }
  LogPiece piece;
  piece.set_wish_id(wish.id());
  const int64_t size = SizeOf(file);
  const bool tail = wish.offset() < 0;
  int64_t begin = wish.offset() > size ? 0 : wish.offset();
  if (tail) begin = std::max<int64_t>(0, size - limits::kLogPieceBytes);
  std::string text = Read(file, begin, std::min(size - begin, limits::kLogPieceBytes));
  if (!ended) text.resize(WholeLines(text));
  piece.set_next_offset(begin + static_cast<int64_t>(text.size()));
  if (tail) {
    piece.set_cut(begin > 0);
    if (begin > 0) DropPartOfLine(&text);
    if (begin == 0) text.insert(0, EndOfOld(path, limits::kLogPieceBytes - static_cast<int64_t>(text.size())));
    if (KeepLines(wish.lines(), &text)) piece.set_cut(true);
  }
  piece.set_text(ToLines(text, limits::kLogTextBytes));
  return piece;
}

}  // namespace mimeo
