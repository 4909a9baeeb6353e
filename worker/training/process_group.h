// What carries a gang's collectives: Gloo for tensors on the CPU and, in a gang on GPUs, NCCL beside it. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace c10d {
class ProcessGroup;
class Store;
}  // namespace c10d

namespace mimeo {

// How a rank joins its group; the store tells the ranks each other's addresses.
struct ProcessGroupOptions {
  int rank = 0;
  int size = 1;
  std::string host;  // the address on which Gloo listens
  // The most that a collective on the CPU may take.
  absl::Duration timeout;
  // The most that a collective on GPUs may take. After it the process writes a flight record and ends
  // (docs/operations.md).
  absl::Duration nccl_timeout;
  at::Device device = at::kCPU;
};

// Blocks until all ranks are connected. FailedPrecondition: the device is a GPU, and CUDA cannot be loaded
// (base/cuda_library.h). Unavailable: the ranks cannot reach each other. A gang on GPUs keeps Gloo for every number
// that decides something, so that no kernel waits for it (docs/decisions/0015).
absl::StatusOr<c10::intrusive_ptr<c10d::ProcessGroup>> MakeProcessGroup(const c10::intrusive_ptr<c10d::Store>& store,
                                                                        const ProcessGroupOptions& options);

}  // namespace mimeo
