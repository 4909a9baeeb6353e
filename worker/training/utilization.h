// What a rank makes of its device, for its metrics. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/time/time.h"
#include "proto/event.pb.h"
#include "proto/job.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// Of one step, as the rank's own clock saw it.
struct StepTime {
  absl::Duration total, data_wait, teacher_wait, communication;
};

class UtilizationMeter {
 public:
  // `spec` is resolved; `num_ranks` share its global batch; `described` is the device that `device` is.
  UtilizationMeter(const JobSpec& spec, int num_ranks, const DeviceInfo& described, at::Device device);

  Utilization Of(const StepTime& time) const;

 private:
  const at::Device device_;
  const double gflop_per_step_;  // this rank's share of the global batch
  const double peak_gflop_per_second_;
};

// Most bytes held so far: of a GPU by libtorch's allocator, on a CPU by the process.
int64_t PeakMemoryBytes(at::Device device);

}  // namespace mimeo
