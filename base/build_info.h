// How a process introduces itself to the coordinator, and which processes the coordinator accepts. Free functions
// without state; thread-safe.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "proto/event.pb.h"

namespace mimeo {

// A binary that links libtorch passes its version. The others pass nothing.
BuildInfo ThisBuild(const std::string& libtorch = "");

// OK when `peer` speaks the protocol version of this build, whatever its release is. Otherwise FailedPrecondition,
// which names both builds and says which one to install. An empty BuildInfo comes from a build that is older than the
// first protocol version, so it is refused. `what` and `name` say who the peer is, such as "worker" and "w0", or
// "teacher" and "clip". The name and the peer's words may be any bytes.
absl::Status CheckProtocol(absl::string_view what, absl::string_view name, const BuildInfo& peer);

}  // namespace mimeo
