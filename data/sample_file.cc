#include "data/sample_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/errno_status.h"
#include "data/sample_name.h"

namespace mimeo {

absl::StatusOr<SampleFile> SampleFile::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return ErrnoStatus(errno, ShortName(path));
  struct stat found;
  if (fstat(fd, &found) != 0) {
    const int error = errno;
    close(fd);
    return ErrnoStatus(error, ShortName(path));
  }
  SampleFile file(fd, found.st_size, path);
  if (!S_ISREG(found.st_mode)) return absl::InvalidArgumentError(absl::StrCat(ShortName(path), ": not a regular file"));
  return file;
}

SampleFile::~SampleFile() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<std::string> SampleFile::ReadAt(int64_t offset, int64_t size) const {
  std::string bytes(size, '\0');
  for (int64_t done = 0; done < size;) {
    const ssize_t got = pread(fd_, bytes.data() + done, size - done, offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::UnavailableError(absl::StrCat(ShortName(path_), ": ", std::system_category().message(errno)));
    }
    if (got == 0) {
      return absl::UnavailableError(
          absl::StrCat(ShortName(path_), ": ends after ", done, " of the ", size, " bytes at ", offset));
    }
    done += got;
  }
  return bytes;
}

}  // namespace mimeo
