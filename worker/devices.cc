#include "worker/devices.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <dlfcn.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

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

DeviceInfo Cpu() {
  DeviceInfo cpu;
  cpu.set_device(DEVICE_CPU);
  cpu.set_name(CpuName());
  cpu.set_memory_bytes(int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE));
  return cpu;
}

// Name and memory by the driver's own interface, which creates no context; left empty where it does not answer.
void Describe(int index, DeviceInfo* device) {
  void* const driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (driver == nullptr) return;
  const auto init = reinterpret_cast<int (*)(unsigned)>(dlsym(driver, "cuInit"));
  const auto get_name = reinterpret_cast<int (*)(char*, int, int)>(dlsym(driver, "cuDeviceGetName"));
  const auto get_memory = reinterpret_cast<int (*)(size_t*, int)>(dlsym(driver, "cuDeviceTotalMem_v2"));
  char name[256] = {};
  size_t bytes = 0;
  if (init != nullptr && init(0) == 0) {
    if (get_name != nullptr && get_name(name, sizeof(name), index) == 0) device->set_name(name);
    if (get_memory != nullptr && get_memory(&bytes, index) == 0) device->set_memory_bytes(static_cast<int64_t>(bytes));
  }
}

}  // namespace

absl::StatusOr<std::vector<DeviceInfo>> FindDevices(const std::string& device) {
  if (device != "auto" && device != "cpu" && device != "cuda") {
    return absl::InvalidArgumentError(absl::StrCat("--device=", device, ": one of auto, cpu, cuda"));
  }
  const int count = device == "cpu" ? 0 : at::detail::getCUDAHooks().deviceCount();
  if (count == 0 && device == "cuda") {
    return absl::NotFoundError("--device=cuda: this build or this host has no CUDA device");
  }
  if (count == 0) return std::vector<DeviceInfo>{Cpu()};
  std::vector<DeviceInfo> devices(count);
  for (int i = 0; i < count; ++i) {
    devices[i].set_device(DEVICE_CUDA);
    Describe(i, &devices[i]);
  }
  return devices;
}

}  // namespace mimeo
