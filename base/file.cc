#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/errno_status.h"
#include "base/status_macros.h"
#include "base/temporary_root.h"

namespace mimeo {
namespace {

namespace fs = std::filesystem;

// `what`: what was being done, as "opening".
absl::Status FileStatus(int error, absl::string_view what, const std::string& path) {
  return ErrnoStatus(error, absl::StrCat(what, " ", path));
}

absl::Status WriteAll(int fd, absl::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return FileStatus(errno, "writing", path);
    bytes.remove_prefix(written);
  }
  if (fsync(fd) != 0) return FileStatus(errno, "syncing", path);
  return absl::OkStatus();
}

// Makes a rename in `dir` survive a crash. Some file systems cannot sync a directory: that is no error of the write.
void SyncDir(const std::string& dir) {
  const int fd = open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

std::string ParentDir(const std::string& path) {
  const std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileStatus(errno, "opening", path);
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  struct stat stat_buf;
  if (fstat(fd, &stat_buf) != 0) return FileStatus(errno, "reading", path);
  if (S_ISDIR(stat_buf.st_mode)) return FileStatus(EISDIR, "reading", path);
  // Files in /proc say size 0: read until the end, whatever the size says.
  std::string bytes;
  std::string piece(1 << 16, '\0');
  bytes.reserve(std::min<int64_t>(stat_buf.st_size, max_bytes));
  while (true) {
    const ssize_t got = read(fd, &piece[0], piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileStatus(errno, "reading", path);
    if (got == 0) return bytes;
    bytes.append(piece, 0, got);
    if (static_cast<int64_t>(bytes.size()) > max_bytes) {
      return absl::ResourceExhaustedError(absl::StrCat(path, " is larger than ", max_bytes, " bytes"));
    }
  }
}

absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes) {
  static std::atomic<uint64_t> counter{0};
  const std::string temporary = absl::StrCat(path, ".tmp.", getpid(), ".", counter++);
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return FileStatus(errno, "creating", path);
  absl::Status status = WriteAll(fd, bytes, path);
  close(fd);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) status = FileStatus(errno, "replacing", path);
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  SyncDir(ParentDir(path));
  return absl::OkStatus();
}

absl::Status MakeDirs(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return FileStatus(error.value(), "creating the directory", path);
  // create_directories is content with a trailing component that is a file on some versions.
  if (!fs::is_directory(path, error)) {
    return absl::NotFoundError(absl::StrCat("creating the directory ", path, ": a file is in its place"));
  }
  return absl::OkStatus();
}

bool FileExists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool IsDirectory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return FileStatus(error.value(), "removing", path);
  return absl::OkStatus();
}

std::string JoinPath(absl::string_view dir, absl::string_view name) {
  if (dir.empty() || absl::StartsWith(name, "/")) return std::string(name);
  return absl::StrCat(absl::StripSuffix(dir, "/"), "/", name);
}

TempDir::TempDir() {
  const std::string root = TemporaryRoot();
  path_ = JoinPath(root, "mimeo.XXXXXX");
  if (mkdtemp(&path_[0]) == nullptr) {
    const std::string why = std::system_category().message(errno);
    std::fprintf(stderr, "cannot make a temporary folder in %s: %s; TMPDIR should name a folder for temporary files\n",
                 root.c_str(), why.c_str());
    std::_Exit(2);
  }
}

TempDir::~TempDir() { RemoveTree(path_).IgnoreError(); }

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path) {
  // To open a pipe otherwise waits for somebody who writes into it.
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return FileStatus(errno, "opening", path);
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  struct stat stat_buf;
  if (fstat(fd, &stat_buf) != 0) return FileStatus(errno, "reading", path);
  if (S_ISDIR(stat_buf.st_mode)) return FileStatus(EISDIR, "mapping", path);
  if (!S_ISREG(stat_buf.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat("mapping ", path, ": a pipe, socket or device, not a file"));
  }
  if (stat_buf.st_size == 0) return MappedFile(absl::string_view());  // mmap refuses an empty mapping
  void* const memory = mmap(nullptr, stat_buf.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return FileStatus(errno, "mapping", path);
  return MappedFile(absl::string_view(static_cast<const char*>(memory), stat_buf.st_size));
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace mimeo
