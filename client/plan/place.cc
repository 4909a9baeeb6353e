#include "client/plan/place.h"

#include <algorithm>
#include <limits>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/devices.h"
#include "base/file.h"
#include "base/print.h"
#include "base/text.h"
#include "job/device_peaks.h"

namespace mimeo {
namespace {

struct KnownDevice {
  const char* name;         // what a person types
  const char* driver_name;  // job/device_peaks.h knows its peak
  int64_t mebibytes;        // as nvidia-smi shows them
};
constexpr KnownDevice kKnownDevices[] = {
    {"a10", "NVIDIA A10", 23028},
    {"a100", "NVIDIA A100-SXM4-80GB", 81920},
    {"a100_40gb", "NVIDIA A100-SXM4-40GB", 40960},
    {"a40", "NVIDIA A40", 46068},
    {"b200", "NVIDIA B200", 183359},
    {"h100", "NVIDIA H100 80GB HBM3", 81559},
    {"h200", "NVIDIA H200", 143771},
    {"l4", "NVIDIA L4", 23034},
    {"l40s", "NVIDIA L40S", 46068},
    {"rtx4090", "NVIDIA GeForce RTX 4090", 24564},
};

std::string FirstOf(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    const auto text = ReadFile(path, /*max_bytes=*/1 << 20);
    if (text.ok()) return *text;
  }
  return "";
}

// Why a job that asks for `resources` is not placed there; empty: it is.
std::string RefusedBy(const Worker& worker, const ResourceSpec& resources) {
  if (worker.lease_expired()) return "is gone";
  if (worker.leaving()) return "is leaving";
  if (worker.drained()) return "is drained";
  if (worker.identity().devices().empty()) return "has no device";
  for (const DeviceInfo& device : worker.identity().devices()) {
    if (resources.device() == DEVICE_CUDA && device.device() != DEVICE_CUDA) return "has no CUDA device";
    if (resources.device() == DEVICE_CPU && device.device() != DEVICE_CPU) return "computes on its GPUs only";
    if (resources.precision() == PRECISION_BF16 && !device.bfloat16()) return "has no bfloat16";
  }
  return "";
}

}  // namespace

double AssumedShareOfPeak(Precision precision) { return precision == PRECISION_BF16 ? 0.3 : 0.5; }

int64_t FreeMemory(absl::string_view meminfo, absl::string_view bound, absl::string_view used) {
  int64_t available = 0;
  for (const absl::string_view line : absl::StrSplit(meminfo, '\n')) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    int64_t kibibytes = 0;
    if (words.size() >= 2 && words[0] == "MemAvailable:" && absl::SimpleAtoi(words[1], &kibibytes)) {
      available = kibibytes * 1024;
    }
  }
  int64_t most = 0, now = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(bound), &most)) return available;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(used), &now)) now = 0;
  return std::min(available, std::max<int64_t>(0, most - now));
}

int64_t FreeMemoryHere() {
  return FreeMemory(FirstOf({"/proc/meminfo"}),
                    FirstOf({"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}),
                    FirstOf({"/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"}));
}

Place ThisMachine(Device device) {
  // Only described: whether CUDA can be loaded, a probe shows.
  const auto devices = FindDevices(device == DEVICE_CPU ? "cpu" : "auto", [] { return absl::OkStatus(); });
  const DeviceInfo first = devices.ok() ? devices->front() : CpuDevice();
  Place place;
  place.device = first.device();
  place.device_name = first.name();
  place.bfloat16 = first.bfloat16();
  if (first.device() == DEVICE_CUDA) {
    place.slots = static_cast<int>(devices->size());
    place.memory_bytes = first.memory_bytes();
    place.name = absl::StrCat("this machine: ", place.slots, "x ", first.name());
    return place;
  }
  place.cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  place.memory_bytes = FreeMemoryHere();
  place.name = absl::StrCat("this machine: ", first.name(), ", ", Counted(place.cores, "core"));
  return place;
}

absl::StatusOr<Place> NamedDevice(absl::string_view name) {
  std::vector<std::string> names;
  for (const KnownDevice& known : kKnownDevices) {
    names.emplace_back(known.name);
    if (absl::AsciiStrToLower(name) != known.name) continue;
    Place place;
    place.name = place.device_name = known.driver_name;
    place.device = DEVICE_CUDA;
    place.bfloat16 = true;
    place.memory_bytes = known.mebibytes << 20;
    return place;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--device ", ToText(name), ": not known; known are: ", absl::StrJoin(names, ", ")));
}

std::vector<WorkerFit> FitWorkers(const ListWorkersReply& workers, const ResourceSpec& resources) {
  std::vector<WorkerFit> fits;
  for (const Worker& worker : workers.workers()) {
    WorkerFit fit;
    fit.id = worker.identity().id();
    fit.refused = RefusedBy(worker, resources);
    fit.slots = std::max(0, worker.identity().slots() - worker.slots_busy());
    if (!worker.identity().devices().empty()) {
      fit.device_name = worker.identity().devices(0).name();
      fit.memory_bytes = worker.identity().devices(0).memory_bytes();
      // A CPU's memory is shared by the ranks of all slots.
      if (worker.identity().devices(0).device() != DEVICE_CUDA)
        fit.memory_bytes /= std::max(1, worker.identity().slots());
    }
    fits.push_back(std::move(fit));
  }
  return fits;
}

Place ClusterPlace(const ListWorkersReply& workers, const ResourceSpec& resources, absl::string_view server) {
  Place place;
  place.bfloat16 = true;
  place.cluster = true;
  int suit = 0;
  double slowest = std::numeric_limits<double>::infinity();
  const std::vector<WorkerFit> fits = FitWorkers(workers, resources);
  for (size_t i = 0; i < fits.size(); ++i) {
    if (!fits[i].refused.empty()) continue;
    ++suit;
    place.slots += fits[i].slots;
    place.slots_in_all += workers.workers(static_cast<int>(i)).identity().slots();
    if (place.memory_bytes == 0 || fits[i].memory_bytes < place.memory_bytes) place.memory_bytes = fits[i].memory_bytes;
    const DeviceInfo& device = workers.workers(static_cast<int>(i)).identity().devices(0);
    const double peak = PeakGflopPerSecond(device.name(), resources.precision());
    if (peak >= slowest) continue;
    slowest = peak;
    place.device = device.device();
    place.device_name = device.name();
  }
  place.name = absl::StrCat("the cluster at ", ToText(server), ": ", Counted(suit, "worker"), " of ", fits.size(),
                            suit == 1 ? " suits" : " suit", ", with ", Counted(place.slots, "free slot"));
  return place;
}

}  // namespace mimeo
