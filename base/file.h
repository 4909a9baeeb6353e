// Files as whole values. Thread-safe: free functions without state. Messages name the path and errno's text.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// Errors: base/errno_status.h; ResourceExhausted: over `max_bytes`.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

// Writes a temporary file beside `path`, syncs it, renames it over `path`: readers see the old bytes or the new ones.
// ResourceExhausted: the disk is full.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes);

absl::Status MakeDirs(const std::string& path);  // and parents; OK when it is there already
bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);
absl::Status RemoveTree(const std::string& path);

// A path below `dir`; absolute `name` stays as it is.
std::string JoinPath(absl::string_view dir, absl::string_view name);

// A new empty directory below $TMPDIR (or /tmp), deleted with everything in it by the destructor.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The bytes of a file, mapped read-only for the life of the object. Move-only value.
class MappedFile {
 public:
  // Errors: base/errno_status.h; InvalidArgument: a folder, pipe, socket or device.
  static absl::StatusOr<MappedFile> Open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  absl::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(absl::string_view bytes) : bytes_(bytes) {}
  absl::string_view bytes_;
};

}  // namespace mimeo
