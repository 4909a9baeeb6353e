#include "client/auto/machine.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/devices.h"
#include "base/status_macros.h"
#include "client/plan/place.h"

namespace mimeo {

absl::StatusOr<Machine> LookAtMachine() {
  Machine machine;
  machine.cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  machine.memory_bytes = FreeMemoryHere();
  ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, FindDevices("auto", [] { return absl::OkStatus(); }));
  for (const DeviceInfo& device : devices) {
    if (device.device() != DEVICE_CUDA) continue;
    const bool first = machine.gpus == 0;
    machine.gpu_memory_bytes =
        first ? device.memory_bytes() : std::min<int64_t>(machine.gpu_memory_bytes, device.memory_bytes());
    machine.gpu_bfloat16 = device.bfloat16() && (first || machine.gpu_bfloat16);
    ++machine.gpus;
  }
  return machine;
}

std::string MachineText(const Machine& machine) {
  const std::string host = absl::StrFormat("%d %s, %.0f GB of free memory", machine.cores,
                                           machine.cores == 1 ? "core" : "cores", machine.memory_bytes / 1e9);
  if (machine.gpus == 0) return absl::StrCat(host, ", no GPU");
  return absl::StrFormat("%s, %d %s of %.0f GB", host, machine.gpus, machine.gpus == 1 ? "GPU" : "GPUs",
                         machine.gpu_memory_bytes / 1e9);
}

}  // namespace mimeo
