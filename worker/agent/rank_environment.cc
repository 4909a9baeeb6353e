#include "worker/agent/rank_environment.h"

#include <arpa/inet.h>
#include <ifaddrs.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace mimeo {
namespace {

// Training frees and asks for the same tensors each step: an allocator that keeps every page (dirty_decay_ms:-1), in
// huge ones, needs no more memory at its peak and spares the kernel from clearing them again
// (docs/benchmarks/allocator.md). Empty where jemalloc is not installed, or where whoever started the agent chose an
// allocator.
std::vector<std::string> AllocatorEnvironment() {
  if (std::getenv("LD_PRELOAD") != nullptr) return {};
  for (const char* path :
       {"/usr/lib/x86_64-linux-gnu/libjemalloc.so.2", "/usr/lib/aarch64-linux-gnu/libjemalloc.so.2",
        "/usr/lib64/libjemalloc.so.2", "/usr/lib/libjemalloc.so.2", "/usr/local/lib/libjemalloc.so.2"}) {
    if (!FileExists(path)) continue;
    return {absl::StrCat("LD_PRELOAD=", path), "MALLOC_CONF=thp:always,dirty_decay_ms:-1"};
  }
  return {};
}

// Names of libtorch's ProcessGroupNCCL and of NCCL itself.
std::vector<std::string> NcclEnvironment(const RankEnvironmentOptions& options) {
  std::vector<std::pair<std::string, std::string>> wanted = {
      // The newest collectives, and a file of them when one is over its time: which rank was where.
      {"TORCH_FR_BUFFER_SIZE", "2000"},
      {"TORCH_NCCL_DUMP_ON_TIMEOUT", "1"},
      {"TORCH_FR_DUMP_TEMP_FILE", options.flight_record_prefix},
      {"NCCL_DEBUG", "WARN"},
  };
  // "=": this interface, not every one whose name begins so.
  const std::string interface = InterfaceOf(options.host);
  if (!interface.empty()) wanted.emplace_back("NCCL_SOCKET_IFNAME", "=" + interface);
  std::vector<std::string> environment;
  for (const auto& [name, value] : wanted) {
    if (std::getenv(name.c_str()) == nullptr) environment.push_back(absl::StrCat(name, "=", value));
  }
  return environment;
}

}  // namespace

std::string InterfaceOf(const std::string& address) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return "";
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all(first, &freeifaddrs);
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    char text[INET_ADDRSTRLEN] = {};
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, text, sizeof(text));
    if (address == text) return entry->ifa_name;
  }
  return "";
}

std::vector<std::string> RankEnvironment(const RankEnvironmentOptions& options, int slot) {
  const std::vector<std::string>& devices = options.cuda_devices;
  std::vector<std::string> environment = {
      absl::StrCat("OMP_NUM_THREADS=", options.threads),
      absl::StrCat("MKL_NUM_THREADS=", options.threads),
      absl::StrCat("CUDA_VISIBLE_DEVICES=", devices.empty() ? "" : devices[slot % devices.size()]),
  };
  for (std::string& variable : AllocatorEnvironment()) environment.push_back(std::move(variable));
  if (devices.empty()) return environment;
  for (std::string& variable : NcclEnvironment(options)) environment.push_back(std::move(variable));
  return environment;
}

}  // namespace mimeo
