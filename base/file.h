// Files that are read and written as a whole. The functions are thread-safe and block for as long as the disk needs.
// Every error names the path. Its code says what the caller can do, as base/errno_status.h lists them, unless a
// function says something else.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// ResourceExhausted: the file has more than `max_bytes` bytes. What is no regular file is read until its end too: a
// pipe may block for ever, and files in /proc come whole although their size is 0.
absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t max_bytes = int64_t{1} << 30);

// Replaces the file, or makes it: after a crash at any time a reader finds all of the old bytes or all of the new ones.
// (The bytes go into a temporary file in the same folder, which is synced and then renamed.) After an error the old
// file is untouched. When the process is killed, the temporary file may stay: PATH.tmp.PID.NUMBER. ResourceExhausted:
// the disk is full.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes);

// Makes the folder and its missing parents. OK when the folder is there already. NotFound: a file is in its place.
absl::Status MakeDirs(const std::string& path);
// Whether something of any kind has this name; a link stands for what it leads to. False too where this user may not
// look.
bool FileExists(const std::string& path);
bool IsDirectory(const std::string& path);
// Removes the file, or the folder with everything in it. OK when nothing is there. After an error a part may be gone.
absl::Status RemoveTree(const std::string& path);

// The path of `name` below `dir`. An absolute `name` stays as it is, and so does any name where `dir` is empty.
std::string JoinPath(absl::string_view dir, absl::string_view name);

// A new empty directory below $TMPDIR, or below /tmp where that is not set. The destructor deletes it with everything
// in it. The process ends with code 2 and a sentence on stderr when the directory cannot be made: base/output.h finds
// that before.
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

// The bytes of a file, mapped into memory for reading: pages are read from the disk when they are first used, so a file
// may be larger than the memory. The bytes stay valid as long as the object, or the one it was moved to, lives. If
// another process makes the file shorter, or its disk fails, to read the lost bytes kills this process (SIGBUS).
// Move-only value.
class MappedFile {
 public:
  // InvalidArgument: it is a folder, pipe, socket or device. Never blocks on a pipe.
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
