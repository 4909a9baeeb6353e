// What a worker computes on, for its identity: the CUDA devices that this build can use, or the host's CPU.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/event.pb.h"

namespace mimeo {

// `device`: "auto" (CUDA where there is one), "cpu" or "cuda". The CPU is one device, whatever its cores.
// InvalidArgument: another word. NotFound: "cuda", and this build or this host has none.
absl::StatusOr<std::vector<DeviceInfo>> FindDevices(const std::string& device);

}  // namespace mimeo
