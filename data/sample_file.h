// An open file that holds samples: an image, or a tar of many. It is move-only and closes its file at the end. Once
// opened, any thread may read it, also several at once.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace mimeo {

// A shard stays open while a data set lives, so it can be read after its name is gone. A single image is opened for
// each read.
class SampleFile {
 public:
  // Opens without blocking, and then refuses everything but a regular file, so that nobody waits for the writer of a
  // pipe. InvalidArgument: a folder, pipe, socket or device. Other errors are those of base/errno_status.h.
  static absl::StatusOr<SampleFile> Open(const std::string& path);
  SampleFile(SampleFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), size_(other.size_), path_(std::move(other.path_)) {}
  SampleFile& operator=(SampleFile&&) = delete;
  ~SampleFile();

  // For libarchive, which reads the index through it. It stays this object's to close.
  int fd() const { return fd_; }
  int64_t size() const { return size_; }  // when it was opened
  const std::string& path() const { return path_; }

  // Reads exactly `size` bytes, without moving a position that others share. Unavailable: they cannot be read now,
  // because the disk or the mount fails or the file has become shorter.
  absl::StatusOr<std::string> ReadAt(int64_t offset, int64_t size) const;

 private:
  SampleFile(int fd, int64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
  int fd_;
  int64_t size_;
  std::string path_;
};

}  // namespace mimeo
