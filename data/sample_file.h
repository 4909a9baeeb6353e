// An open file whose bytes are samples. Move-only; thread-safe once opened.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace mimeo {

class SampleFile {
 public:
  // Only a regular file is opened, so that nobody waits for a pipe's writer, and no device is touched. Errors:
  // base/errno_status.h; InvalidArgument: a folder, pipe, socket or device.
  static absl::StatusOr<SampleFile> Open(const std::string& path);
  SampleFile(SampleFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), size_(other.size_), path_(std::move(other.path_)) {}
  SampleFile& operator=(SampleFile&&) = delete;
  ~SampleFile();

  int fd() const { return fd_; }
  int64_t size() const { return size_; }  // when it was opened
  const std::string& path() const { return path_; }

  // Unavailable: these bytes cannot be read now: an error of the disk or mount, or the file ends before them.
  absl::StatusOr<std::string> ReadAt(int64_t offset, int64_t size) const;

 private:
  SampleFile(int fd, int64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
  int fd_;
  int64_t size_;
  std::string path_;
};

}  // namespace mimeo
