#include "store/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <rocksdb/env.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "store/log_file.h"

namespace mimeo {
namespace {

constexpr char kTitle[] = "synced lengths, copy ";
constexpr int64_t kCopyBytes = 4096;

absl::Status ErrnoStatus(const std::string& what, int error) {
  const std::string message = absl::StrCat(what, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(message);
  return absl::UnavailableError(message);
}

// "synced lengths, copy 7\n000012.log 4096\n...\n\ncrc32c 123\n", filled up with spaces: people may read it too.
std::string Format(int64_t number, const Ledger::Lengths& lengths) {
  std::string text = absl::StrCat(kTitle, number, "\n");
  constexpr size_t kLineBytes = 48;
  // There are a handful. Of more the newest are kept: the greatest numbers.
  for (auto entry = lengths.rbegin(); entry != lengths.rend() && text.size() + 2 * kLineBytes < kCopyBytes; ++entry) {
    absl::StrAppend(&text, entry->first, " ", entry->second, "\n");
  }
  absl::StrAppend(&text, "\ncrc32c ", Crc32c(text), "\n");
  text.resize(kCopyBytes, ' ');
  return text;
}

struct Copy {
  int64_t number = 0;
  Ledger::Lengths lengths;
};

std::optional<Copy> Parse(absl::string_view text) {
  const size_t end = text.find("\n\ncrc32c ");
  if (!absl::StartsWith(text, kTitle) || end == absl::string_view::npos) return std::nullopt;
  const absl::string_view body = text.substr(0, end + 1);
  if (text.substr(end + 2, text.find('\n', end + 2) - end - 2) != absl::StrCat("crc32c ", Crc32c(body))) {
    return std::nullopt;
  }
  const std::vector<std::string> lines = absl::StrSplit(body, '\n', absl::SkipEmpty());
  Copy copy;
  if (!absl::SimpleAtoi(lines[0].substr(std::strlen(kTitle)), &copy.number)) return std::nullopt;
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> entry = absl::StrSplit(lines[i], absl::MaxSplits(' ', 1));
    if (!absl::SimpleAtoi(entry.second, &copy.lengths[entry.first])) return std::nullopt;
  }
  return copy;
}

// Logs and manifests: what is appended to, and read again from its beginning.
bool IsNoted(const std::string& name) { return absl::EndsWith(name, ".log") || absl::StartsWith(name, "MANIFEST-"); }

std::string BaseName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class NotedFile : public rocksdb::WritableFileWrapper {
 public:
  NotedFile(std::string name, std::unique_ptr<rocksdb::WritableFile> file, Ledger* ledger)
      : rocksdb::WritableFileWrapper(file.get()), name_(std::move(name)), file_(std::move(file)), ledger_(ledger) {}

  rocksdb::Status Append(const rocksdb::Slice& bytes) override {
    const rocksdb::Status status = file_->PositionedAppend(bytes, length_);
    if (status.ok()) length_ += bytes.size();
    return status;
  }
  rocksdb::Status Append(const rocksdb::Slice& bytes, const rocksdb::DataVerificationInfo&) override {
    return Append(bytes);
  }
  rocksdb::Status Sync() override { return Noted(&rocksdb::WritableFile::Sync); }
  rocksdb::Status Fsync() override { return Noted(&rocksdb::WritableFile::Fsync); }

 private:
  rocksdb::Status Noted(rocksdb::Status (rocksdb::WritableFile::*sync)()) {
    const uint64_t length = length_;
    const rocksdb::Status status = (file_.get()->*sync)();
    if (status.ok() && length > 0) ledger_->Note(name_, static_cast<int64_t>(length));
    return status;
  }

  const std::string name_;
  const std::unique_ptr<rocksdb::WritableFile> file_;
  Ledger* const ledger_;
  std::atomic<uint64_t> length_{0};
};

class LedgerEnv : public rocksdb::EnvWrapper {
 public:
  LedgerEnv(rocksdb::Env* base, Ledger* ledger) : rocksdb::EnvWrapper(base), ledger_(ledger) {}
  const char* Name() const override { return "LedgerEnv"; }

  rocksdb::Status NewWritableFile(const std::string& path, std::unique_ptr<rocksdb::WritableFile>* file,
                                  const rocksdb::EnvOptions& options) override {
    const rocksdb::Status status = target()->NewWritableFile(path, file, options);
    const std::string name = BaseName(path);
    if (status.ok() && IsNoted(name)) *file = std::make_unique<NotedFile>(name, std::move(*file), ledger_);
    return status;
  }

  rocksdb::Status DeleteFile(const std::string& path) override {
    const std::string name = BaseName(path);
    if (IsNoted(name)) {
      const absl::Status forgotten = ledger_->Forget(name);
      if (!forgotten.ok()) return rocksdb::Status::IOError(std::string(forgotten.message()));
    }
    return target()->DeleteFile(path);
  }

 private:
  Ledger* const ledger_;
};

}  // namespace

absl::StatusOr<Ledger::Lengths> Ledger::Read(const std::string& dir) {
  const std::string path = JoinPath(dir, kFileName);
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, 2 * kCopyBytes));
  std::optional<Copy> newest;
  for (const int64_t begin : {int64_t{0}, kCopyBytes}) {
    if (begin >= static_cast<int64_t>(bytes.size())) break;
    std::optional<Copy> copy = Parse(absl::string_view(bytes).substr(begin, kCopyBytes));
    if (copy.has_value() && (!newest.has_value() || copy->number > newest->number)) newest = std::move(copy);
  }
  if (!newest.has_value()) return absl::NotFoundError(absl::StrCat(path, ": neither copy can be read"));
  return std::move(newest->lengths);
}

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::Create(const std::string& dir, Lengths lengths) {
  const std::string path = JoinPath(dir, kFileName);
  // Whole at once: one that replaces another is there before the other is gone.
  RETURN_IF_ERROR(WriteFileAtomic(path, absl::StrCat(Format(0, lengths), Format(1, lengths))));
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(path, errno);
  std::unique_ptr<Ledger> ledger(new Ledger(fd, path, std::move(lengths)));
  absl::MutexLock lock(&ledger->mu_);
  ledger->written_ = 2;
  return ledger;
}

Ledger::~Ledger() { ::close(fd_); }

absl::Status Ledger::WriteCopy() {
  const std::string copy = Format(written_, lengths_);
  if (::pwrite(fd_, copy.data(), copy.size(), written_ % 2 * kCopyBytes) != kCopyBytes) {
    return ErrnoStatus(path_, errno);
  }
  ++written_;
  return absl::OkStatus();
}

void Ledger::Note(const std::string& file, int64_t length) {
  absl::MutexLock lock(&mu_);
  lengths_[file] = length;
  WriteCopy().IgnoreError();  // it says less then, which costs a part of its use and no write
}

absl::Status Ledger::Forget(const std::string& file) {
  absl::MutexLock lock(&mu_);
  if (lengths_.erase(file) == 0) return absl::OkStatus();
  for (int copy = 0; copy < 2; ++copy) {
    RETURN_IF_ERROR(WriteCopy());
    if (::fdatasync(fd_) != 0) return ErrnoStatus(path_, errno);
  }
  return absl::OkStatus();
}

std::unique_ptr<rocksdb::Env> NewLedgerEnv(rocksdb::Env* base, Ledger* ledger) {
  return std::make_unique<LedgerEnv>(base, ledger);
}

}  // namespace mimeo
