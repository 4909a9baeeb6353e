#include "base/devices.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/cuda_driver.h"
#include "base/cuda_library.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

std::string CpuName() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    const size_t colon = line.find(':');
    if (absl::StartsWith(line, "model name") && colon != std::string::npos) {
      return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    }
  }
  return "CPU";
}

bool CpuHasBfloat16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace

DeviceInfo CpuDevice() {
  DeviceInfo cpu;
  cpu.set_device(DEVICE_CPU);
  cpu.set_name(ToText(CpuName(), limits::kDeviceNameBytes));
  cpu.set_memory_bytes(int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE));
  cpu.set_bfloat16(CpuHasBfloat16());
  return cpu;
}

absl::StatusOr<std::vector<DeviceInfo>> FindDevices(const std::string& device,
                                                    const std::function<absl::Status()>& cuda_loads) {
  if (device != "auto" && device != "cpu" && device != "cuda") {
    return absl::InvalidArgumentError(absl::StrCat("--device=", device, ": one of auto, cpu, cuda"));
  }
  if (device == "cpu") return std::vector<DeviceInfo>{CpuDevice()};
  std::vector<DeviceInfo> devices = CudaDevices();
  if (devices.empty() && device == "cuda") {
    return absl::NotFoundError(
        "--device=cuda: this host has no CUDA device (NVIDIA's driver finds none; see nvidia-smi)");
  }
  if (devices.empty()) return std::vector<DeviceInfo>{CpuDevice()};
  const absl::Status loaded = cuda_loads != nullptr ? cuda_loads() : CudaLibrary::Load().status();
  if (loaded.ok()) return devices;
  if (device == "cuda") return loaded;
  spdlog::warn("{} CUDA devices are here and not used: {}", devices.size(), std::string(loaded.message()));
  return std::vector<DeviceInfo>{CpuDevice()};
}

}  // namespace mimeo
