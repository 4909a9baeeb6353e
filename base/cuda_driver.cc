#include "base/cuda_driver.h"

#include <dlfcn.h>

#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

// From cuda.h and nvml.h, which a machine without CUDA's toolkit has not; worker/cuda/nccl.cc checks cuda.h's.
constexpr int kComputeCapabilityMajor = 75;
constexpr int kComputeCapabilityMinor = 76;
constexpr int kAmpere = 80;  // the first with bfloat16 products
constexpr unsigned kNvLinksMost = 18;

// A library's functions, which all return 0 for success. Never unloaded.
class Functions {
 public:
  explicit Functions(const char* library) : handle_(dlopen(library, RTLD_NOW | RTLD_LOCAL)) {}
  // False where the library or the function is missing, or the call failed.
  template <typename... Arguments>
  bool Call(const char* name, Arguments... arguments) const {
    if (handle_ == nullptr) return false;
    const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(handle_, name));
    return function != nullptr && function(arguments...) == 0;
  }

 private:
  void* const handle_;
};

// "GPU-8-4-4-4-12", as nvidia-smi prints it and CUDA_VISIBLE_DEVICES takes it.
std::string UuidText(const unsigned char (&bytes)[16]) {
  const std::string hex =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), sizeof(bytes)));
  return absl::StrCat("GPU-", hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4),
                      "-", hex.substr(20));
}

bool HasNvLink(const Functions& nvml, const std::string& uuid) {
  void* device = nullptr;
  if (!nvml.Call("nvmlDeviceGetHandleByUUID", uuid.c_str(), &device)) return false;
  for (unsigned link = 0; link < kNvLinksMost; ++link) {
    int active = 0;
    if (nvml.Call("nvmlDeviceGetNvLinkState", device, link, &active) && active != 0) return true;
  }
  return false;
}

DeviceInfo Describe(const Functions& driver, const Functions& nvml, int index) {
  DeviceInfo info;
  info.set_device(DEVICE_CUDA);
  int device = 0, major = 0, minor = 0;
  char name[256] = {};
  size_t bytes = 0;
  unsigned char uuid[16] = {};
  if (!driver.Call("cuDeviceGet", &device, index)) return info;
  if (driver.Call("cuDeviceGetName", &name[0], static_cast<int>(sizeof(name)), device)) {
    info.set_name(ToText(name, limits::kDeviceNameBytes));
  }
  if (driver.Call("cuDeviceTotalMem_v2", &bytes, device)) info.set_memory_bytes(static_cast<int64_t>(bytes));
  if (driver.Call("cuDeviceGetAttribute", &major, kComputeCapabilityMajor, device) &&
      driver.Call("cuDeviceGetAttribute", &minor, kComputeCapabilityMinor, device)) {
    info.set_compute_capability(10 * major + minor);
    info.set_bfloat16(info.compute_capability() >= kAmpere);
  }
  if (driver.Call("cuDeviceGetUuid", &uuid[0], device)) {
    info.set_uuid(UuidText(uuid));
    info.set_nvlink(HasNvLink(nvml, info.uuid()));
  }
  return info;
}

}  // namespace

std::vector<DeviceInfo> CudaDevices() {
  const Functions driver("libcuda.so.1");
  int count = 0;
  if (!driver.Call("cuInit", 0u) || !driver.Call("cuDeviceGetCount", &count)) return {};
  const Functions nvml("libnvidia-ml.so.1");
  nvml.Call("nvmlInit_v2");
  std::vector<DeviceInfo> devices;
  devices.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) devices.push_back(Describe(driver, nvml, i));
  return devices;
}

}  // namespace mimeo
