// What a rank makes of its device, for its metrics. It has no state that changes.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/time/time.h"
#include "proto/event.pb.h"
#include "proto/job.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

// The times of one step, as the rank's own clock saw them. The waits and the communication are parts of the total.
struct StepTime {
  absl::Duration total, data_wait, teacher_wait, communication;
};

// The arithmetic is counted from the job's spec and not measured, so a figure compares with those of other
// implementations; parts that this one skips count as done (job/flops.h).
class UtilizationMeter {
 public:
  // `spec` is resolved, and `num_ranks` share its global batch. `described` describes the device that `device` is.
  UtilizationMeter(const JobSpec& spec, int num_ranks, const DeviceInfo& described, at::Device device);

  // GFLOP/s are those of this rank's share of the global batch (job/flops.h), divided by the total time. A peak that
  // is not known is 0 (job/device_peaks.h). Reads the device's memory statistics, which does not wait for the device.
  Utilization Of(const StepTime& time) const;

 private:
  const at::Device device_;
  const double gflop_per_step_;  // this rank's share of the global batch
  const double peak_gflop_per_second_;
};

// The most bytes that were ever held: on a GPU by libtorch's allocator, and on a CPU by the process.
int64_t PeakMemoryBytes(at::Device device);

}  // namespace mimeo
