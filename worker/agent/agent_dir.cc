#include "worker/agent/agent_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/errno_status.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

// gRPC takes an address for a URI: it decodes %41 in it, and cuts it at "?" and "#".
bool FitsAnAddress(const std::string& path) {
  const bool plain = std::all_of(path.begin(), path.end(),
                                 [](char c) { return absl::ascii_isalnum(c) || absl::StrContains("/._-", c); });
  return plain && path.size() < sizeof(sockaddr_un::sun_path);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AgentDir>> AgentDir::Hold(const std::string& dir) {
  RETURN_IF_ERROR(MakeDirs(dir));
  std::unique_ptr<AgentDir> held(new AgentDir);
  const std::string lock = JoinPath(dir, "lock");
  held->lock_fd_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (held->lock_fd_ < 0) return ErrnoStatus(errno, absl::StrCat("opening ", lock));
  if (flock(held->lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    // A file system may have no locks.
    if (errno != EWOULDBLOCK) return ErrnoStatus(errno, absl::StrCat("locking ", lock));
    return absl::FailedPreconditionError(absl::StrCat("--dir=", dir, " is in use by another agent; give each its own"));
  }
  std::string path = JoinPath(dir, "agent.sock");
  if (!FitsAnAddress(path)) {
    held->short_dir_ = std::make_unique<TempDir>();
    path = JoinPath(held->short_dir_->path(), "agent.sock");
  }
  held->socket_address_ = absl::StrCat("unix:", path);
  return held;
}

AgentDir::~AgentDir() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

}  // namespace mimeo
