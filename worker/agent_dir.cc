#include "worker/agent_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace mimeo {

absl::StatusOr<std::unique_ptr<AgentDir>> AgentDir::Hold(const std::string& dir) {
  RETURN_IF_ERROR(MakeDirs(dir));
  std::unique_ptr<AgentDir> held(new AgentDir);
  const std::string lock = JoinPath(dir, "lock");
  held->lock_fd_ = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (held->lock_fd_ < 0) return absl::PermissionDeniedError(absl::StrCat("cannot write in ", dir));
  if (flock(held->lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(absl::StrCat("--dir=", dir, " is in use by another agent; give each its own"));
  }
  std::string path = JoinPath(dir, "agent.sock");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
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
