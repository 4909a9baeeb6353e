// What every main() shares: logging, orderly stop on SIGTERM and SIGINT, and the announcement file.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mimeo {

// spdlog to stderr: "2026-01-02T03:04:05.678Z info name: event key=value". MIMEO_LOG=debug|info|warn|error. Whatever is
// logged is made text (base/text.h).
void StartLogging(const std::string& process_name);

// Blocks SIGTERM and SIGINT in this thread and all later ones; call first in main. WaitForStop returns when one comes.
void BlockStopSignals();
void WaitForStop();
// Returns true when a stop signal came before `deadline`.
bool WaitForStopUntil(absl::Time deadline);

// Writes {"key": "value", ...} as JSON, atomically: how a parent learns the ports that a child bound (they bind 0).
// InvalidArgument: a key or value that is not UTF-8, which JSON cannot hold; it would not be read back as it is.
absl::Status Announce(const std::string& path, const std::map<std::string, std::string>& values);
// Waits for that file; with zero patience it looks once. DeadlineExceeded: not there in time. DataLoss: not our JSON.
// A caller whose child may die before it announces looks in turns: at the file without patience, then at the child.
absl::StatusOr<std::map<std::string, std::string>> ReadAnnouncement(const std::string& path,
                                                                    absl::Duration patience = absl::Seconds(30));

}  // namespace mimeo
