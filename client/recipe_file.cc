#include "client/recipe_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

constexpr absl::Duration kPipePatience = absl::Seconds(10);  // with the writer of a pipe

template <typename... Parts>
absl::Status Refused(const std::string& path, const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("RECIPE: ", ToText(path), ": ", parts...));
}

std::string ErrnoText(int error) { return std::system_category().message(error); }

absl::StatusOr<std::string> ReadText(int fd, const std::string& path) {
  std::string text, piece(64 << 10, '\0');
  while (true) {
    const ssize_t got = read(fd, &piece[0], piece.size());
    if (got == 0) return text;
    if (got < 0 && errno == EAGAIN) {
      pollfd ready = {fd, POLLIN, 0};
      if (poll(&ready, 1, static_cast<int>(absl::ToInt64Milliseconds(kPipePatience))) == 0) {
        return Refused(path, "a pipe into which nobody has written for ", absl::FormatDuration(kPipePatience));
      }
      continue;
    }
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Refused(path, ErrnoText(errno));
    text.append(piece, 0, static_cast<size_t>(got));
    if (static_cast<int64_t>(text.size()) > limits::kRecipeBytes) {
      return Refused(path, "larger than ", limits::kRecipeBytes, " bytes; a recipe is a text proto of a few thousand");
    }
  }
}

}  // namespace

absl::StatusOr<JobSpec> ReadRecipe(const std::string& path) {
  // A pipe that nobody has opened for writing would keep a plain open waiting for ever.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return Refused(path, ErrnoText(errno));
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  struct stat kind;
  if (fstat(fd, &kind) != 0) return Refused(path, ErrnoText(errno));
  if (S_ISDIR(kind.st_mode))
    return Refused(path,
                   "a folder; a recipe is a file, such as recipes/mae_b.textproto. To train on the photos in a "
                   "folder: mimeo run --data FOLDER --out OUT");
  ASSIGN_OR_RETURN(const std::string text, ReadText(fd, path));
  if (text.empty()) {
    return Refused(
        path, S_ISFIFO(kind.st_mode) ? "a pipe into which nobody writes" : "empty; a recipe is a text proto of a job");
  }
  return ParseRecipe(text, path);
}

}  // namespace mimeo
