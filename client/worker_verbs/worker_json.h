// A verb of `worker` that answers with one JSON object, run as a child process. One thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace mimeo {

// What Ctrl-C and SIGTERM do while the child runs.
enum class StopSignals {
  kEndChild,       // they end it, and the call
  kLeaveToOthers,  // another thread waits for them (base/process.h)
};

// Runs `worker ARGS...` to its end and returns what it wrote to stdout. What it writes to stderr is appended to
// the file `log`, where one is given. Call BlockStopSignals (base/process.h) before.
//
// InvalidArgument: it exited with code 2; the message is what it said. Cancelled: Ctrl-C, or SIGTERM. Internal: it
// failed otherwise, or wrote no JSON object. Other errors are those of FindBinary and Subprocess::Start.
absl::StatusOr<nlohmann::json> WorkerJson(const std::vector<std::string>& args, const std::string& log = "",
                                          StopSignals signals = StopSignals::kEndChild);

}  // namespace mimeo
