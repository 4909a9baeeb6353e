// The devices that a process can compute on: CUDA devices, or the host's CPU. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/event.pb.h"

namespace mimeo {

// `device` is the value of --device: "auto" takes the CUDA devices where there are some and they can be used, and the
// CPU elsewhere. "cpu" and "cuda" insist. The result is never empty, and the CPU is one device, however many cores it
// has.
//
// A driver may be there while CUDA's libraries are missing. So where there are devices `cuda_loads` is asked whether
// CUDA can be loaded: a process without libtorch asks a process that has it. Null loads CUDA into this process
// (base/cuda_library.h).
//
// InvalidArgument: `device` is another word. NotFound: it is "cuda", and this host has no CUDA device. Any other error
// is that of `cuda_loads`, under "cuda"; under "auto" it becomes a warning in the log, and the CPU is taken.
absl::StatusOr<std::vector<DeviceInfo>> FindDevices(const std::string& device,
                                                    const std::function<absl::Status()>& cuda_loads = nullptr);

// The host's CPU: its name, the host's memory in bytes, and whether it multiplies bfloat16 numbers.
DeviceInfo CpuDevice();

}  // namespace mimeo
