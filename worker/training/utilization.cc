#include "worker/training/utilization.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <sys/resource.h>

#include "job/device_peaks.h"
#include "job/flops.h"
#include "job/job_shape.h"

namespace mimeo {

UtilizationMeter::UtilizationMeter(const JobSpec& spec, int num_ranks, const DeviceInfo& described, at::Device device)
    : device_(device),
      gflop_per_step_(TrainGflopPerImage(spec, NumVisible(spec)) * static_cast<double>(spec.data().global_batch()) /
                      num_ranks),
      peak_gflop_per_second_(PeakGflopPerSecond(described.name(), spec.resources().precision())) {}

Utilization UtilizationMeter::Of(const StepTime& time) const {
  Utilization utilization;
  utilization.set_step_seconds(absl::ToDoubleSeconds(time.total));
  utilization.set_communication_seconds(absl::ToDoubleSeconds(time.communication));
  utilization.set_data_wait_seconds(absl::ToDoubleSeconds(time.data_wait));
  utilization.set_teacher_wait_seconds(absl::ToDoubleSeconds(time.teacher_wait));
  if (time.total > absl::ZeroDuration()) {
    utilization.set_gflop_per_second(gflop_per_step_ / absl::ToDoubleSeconds(time.total));
  }
  utilization.set_peak_gflop_per_second(peak_gflop_per_second_);
  utilization.set_peak_memory_bytes(PeakMemoryBytes(device_));
  return utilization;
}

int64_t PeakMemoryBytes(at::Device device) {
  if (device.is_cpu()) {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return int64_t{usage.ru_maxrss} * 1024;
  }
  constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  return c10::getDeviceAllocator(device.type())->getDeviceStats(device.index()).reserved_bytes[kAll].peak;
}

}  // namespace mimeo
