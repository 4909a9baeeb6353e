// The agent's place on its host: a directory that one agent holds at a time, and a Unix socket for its ranks.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"

namespace mimeo {

// Held until destroyed. Move is not needed; one thread.
class AgentDir {
 public:
  // Makes `dir` if need be. FailedPrecondition: another agent holds it. Others: base/errno_status.h.
  static absl::StatusOr<std::unique_ptr<AgentDir>> Hold(const std::string& dir);
  ~AgentDir();

  // "unix:/path": in the directory, or in a temporary one when that path is too long for a socket's address, or has
  // characters that an address may not have.
  const std::string& socket_address() const { return socket_address_; }

 private:
  AgentDir() = default;
  int lock_fd_ = -1;
  std::unique_ptr<TempDir> short_dir_;
  std::string socket_address_;
};

}  // namespace mimeo
