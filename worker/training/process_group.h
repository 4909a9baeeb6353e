// What carries a gang's collectives: Gloo for tensors on the CPU, and for a gang on GPUs NCCL beside it.
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

struct ProcessGroupOptions {
  int rank = 0;
  int size = 1;
  std::string host;        // Gloo listens here
  absl::Duration timeout;  // of a collective on the CPU
  absl::Duration
      nccl_timeout;  // of one on GPUs: over it the process writes a flight record and ends (docs/operations.md)
  at::Device device = at::kCPU;
};

// FailedPrecondition: a CUDA device, and CUDA cannot be loaded (base/cuda_library.h). Unavailable: the ranks cannot
// reach each other.
absl::StatusOr<c10::intrusive_ptr<c10d::ProcessGroup>> MakeProcessGroup(const c10::intrusive_ptr<c10d::Store>& store,
                                                                        const ProcessGroupOptions& options);

}  // namespace mimeo
