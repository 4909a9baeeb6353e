// Where a job may train: this machine, a GPU of which only the vendor's data sheet is known, or the workers of a
// cluster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/coordinator.pb.h"
#include "proto/job.pb.h"

namespace mimeo {

struct Place {
  std::string name;  // "this machine: CPU NAME, 2 cores", for people
  Device device = DEVICE_CPU;
  std::string device_name;  // as its driver calls it
  int cores = 0;            // of the machine; 0: they are no limit, or not known
  int slots = 0;            // ranks that it takes now; of no cluster, 0: as many as are wanted
  bool cluster = false;     // several workers that others use too
  int slots_in_all = 0;     // of a cluster: those of workers that suit, busy ones too
  bool bfloat16 = false;    // it multiplies bfloat16 numbers
  // That ranks may take: of all ranks together on a CPU, of each where a rank has a GPU of its own. 0: not known.
  int64_t memory_bytes = 0;

  // As many ranks as a job should have to be placed here now, or else some time; 0: as many as it wants.
  int most_ranks() const { return slots > 0 ? slots : slots_in_all; }
};

// This machine, for a job that wants `device`. Its GPUs, where it has some and the job does not want the CPU. Asks the
// driver and reads /proc and /sys. One thread.
Place ThisMachine(Device device);

// A GPU by its short name: "h100", "a100", "rtx4090", "l4", ... InvalidArgument: the name is not known; the message
// lists those that are.
absl::StatusOr<Place> NamedDevice(absl::string_view name);

// The share of a device's peak that training is assumed to reach, because nobody has measured it: see docs/plan.md.
double AssumedShareOfPeak(Precision precision);

// The bytes that new processes may take: MemAvailable of `meminfo` (/proc/meminfo), or what is left below the bound of
// a cgroup where that is less. `bound` and `used` are the texts of memory.max and memory.current ("" where there is no
// such file, "max": there is no bound). 0: `meminfo` does not say. Pure.
int64_t FreeMemory(absl::string_view meminfo, absl::string_view bound, absl::string_view used);

// Likewise of this machine.
int64_t FreeMemoryHere();

// The workers of a cluster that suit a job, also if they are busy now, and why others do not.
struct WorkerFit {
  std::string id;
  int slots = 0;        // free for this job
  std::string refused;  // why it does not suit; empty: it does
  std::string device_name;
  int64_t memory_bytes = 0;  // of one device
};
std::vector<WorkerFit> FitWorkers(const ListWorkersReply& workers, const ResourceSpec& resources);
// All that suit, as one place; it is as slow and as small as its weakest device.
Place ClusterPlace(const ListWorkersReply& workers, const ResourceSpec& resources, absl::string_view server);

}  // namespace mimeo
