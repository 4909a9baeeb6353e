// This build as it introduces itself to a coordinator, and what a coordinator takes. Free functions without state.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/event.pb.h"

namespace mimeo {

// `libtorch`: its version, of who links it.
BuildInfo ThisBuild(const std::string& libtorch = "");

// FailedPrecondition, naming both builds: `peer` speaks another protocol version than this build. A build that says
// nothing of itself is older than the first version. `what` and `name`: "worker" and "w0", "teacher" and "clip"; a name
// may be bytes.
absl::Status CheckProtocol(absl::string_view what, absl::string_view name, const BuildInfo& peer);

}  // namespace mimeo
