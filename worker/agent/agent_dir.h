// The agent's place on its host: a directory that one agent holds at a time, and a Unix socket in it for its ranks.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"

namespace mimeo {

// The directory is held, by a lock on the file `lock` in it, until this is destroyed. The lock also ends with the
// process, so a killed agent leaves nothing behind that must be removed. One thread.
class AgentDir {
 public:
  // Makes `dir` if there is none. FailedPrecondition: another agent holds it. Other errors are the system's, with its
  // words (base/errno_status.h).
  static absl::StatusOr<std::unique_ptr<AgentDir>> Hold(const std::string& dir);
  ~AgentDir();

  // "unix:/path". The socket is in the directory, or in a temporary one when the directory's path is too long for a
  // socket's address or has characters that gRPC does not take in an address.
  const std::string& socket_address() const { return socket_address_; }

 private:
  AgentDir() = default;
  int lock_fd_ = -1;
  // Where the socket is, if not in the directory itself.
  std::unique_ptr<TempDir> short_dir_;
  std::string socket_address_;
};

}  // namespace mimeo
