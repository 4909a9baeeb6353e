// The one seam between the kinds of process group: Gloo on CPUs, NCCL on GPUs.
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
  std::string host;              // Gloo listens here
  absl::Duration timeout;        // of a collective
  at::Device device = at::kCPU;
};

// FailedPrecondition: a CUDA device, and this build has no NCCL (bazel build --config=cuda has). Unavailable: the ranks cannot
// reach each other.
absl::StatusOr<c10::intrusive_ptr<c10d::ProcessGroup>> MakeProcessGroup(const c10::intrusive_ptr<c10d::Store>& store,
                                                                        const ProcessGroupOptions& options);

}  // namespace mimeo
