// What a process can compute on: the CUDA devices that it can use, or the host's CPU. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/event.pb.h"

namespace mimeo {

// `device`: "auto" (CUDA where there is one), "cpu" or "cuda". The CPU is one device, whatever its cores.
// InvalidArgument: another word. NotFound: "cuda", and this host has none. FailedPrecondition: "cuda", and CUDA cannot
// be loaded; under "auto" that is a warning, and the CPU is taken.
// `cuda_loads` is asked where there are CUDA devices: a process without libtorch asks one that has it. Null: it is
// loaded into this process (base/cuda_library.h).
absl::StatusOr<std::vector<DeviceInfo>> FindDevices(const std::string& device,
                                                    const std::function<absl::Status()>& cuda_loads = nullptr);

// The host's CPU, with what it can.
DeviceInfo CpuDevice();

}  // namespace mimeo
