// A file of samples that is open: one image, or a tar of many. Threads read parts of it at the same time without a
// shared position. Move-only; thread-safe once opened. The destructor closes it.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace mimeo {

class SampleFile {
 public:
  // Accepts regular files only, and never waits for the writer of a pipe. InvalidArgument: it is a folder, pipe, socket
  // or device. For all other errors base/errno_status.h says what the caller can do.
  static absl::StatusOr<SampleFile> Open(const std::string& path);
  SampleFile(SampleFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), size_(other.size_), path_(std::move(other.path_)) {}
  SampleFile& operator=(SampleFile&&) = delete;
  ~SampleFile();

  // The file descriptor, which stays this object's.
  int fd() const { return fd_; }
  // The size in bytes when the file was opened.
  int64_t size() const { return size_; }
  const std::string& path() const { return path_; }

  // Exactly `size` bytes from `offset` on. Blocks for as long as the disk or the file server takes. Unavailable: they
  // cannot be read now, because the disk or the mount fails or the file has become shorter; the same call may succeed
  // later.
  absl::StatusOr<std::string> ReadAt(int64_t offset, int64_t size) const;

 private:
  SampleFile(int fd, int64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
  int fd_;
  int64_t size_;
  std::string path_;
};

}  // namespace mimeo
