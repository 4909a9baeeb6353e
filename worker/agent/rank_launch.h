// Starts a rank process: its files in the worker's directory, its command line and its environment. Free functions; the
// agent's watch thread calls them.
//
// The files below `dir` are ranks/<job>-g<generation>-r<rank>.textproto (the start file), .log (what the process
// prints; over limits::kRankLogBytes it starts anew, and the end of the old text is kept as .log.old), and
// .log.nccl.<r> (where its collectives stood when NCCL gave up).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/subprocess.h"
#include "proto/coordinator.pb.h"
#include "worker/agent/rank_table.h"

namespace mimeo {

// What is the same for all ranks of an agent.
struct RankLaunchOptions {
  std::string rank_binary;  // called as `rank_binary rank --assignment=... --agent=... --coordinator=...`
  std::string dir;
  std::string agent_address;  // "unix:/path"
  std::string coordinator_address;
  std::string host;                       // the interface that ranks listen on
  std::vector<std::string> cuda_devices;  // as RankEnvironmentOptions
};

// The file that the process of this rank prints to.
std::string RankLogPath(const std::string& dir, const RankKey& key);

// Writes the start file and starts the process in `slot`. It returns once the process exists. The errors are those of
// Subprocess::Start and WriteFileAtomic.
absl::StatusOr<std::unique_ptr<Subprocess>> LaunchRank(const RankLaunchOptions& options,
                                                       const GangAssignment& assignment, int slot);

// Keeps the log within limits::kRankLogBytes while the process goes on writing it. To be called now and then.
void BoundRankLog(const std::string& path);
// The last lines of a log as text (base/text.h), from at most 600 bytes: for an error message. Empty: there is no log,
// or nothing in it.
std::string LogTail(const std::string& path);
// Deletes the start file of `key`, and all logs but those of the ranks that run and the newest limits::kRankLogsKept of
// the others.
void CleanRankFiles(const std::string& dir, const RankKey& key, const std::vector<RankKey>& running);

}  // namespace mimeo
