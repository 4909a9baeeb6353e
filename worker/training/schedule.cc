#include "worker/training/schedule.h"

#include "base/half_cosine.h"
#include "job/job_shape.h"

namespace mimeo {

double PeakRate(const JobSpec& spec) {
  return spec.optimizer().adamw().base_rate() * static_cast<double>(spec.data().global_batch()) / 256;
}

double LearningRate(const JobSpec& spec, int64_t steps_done, int64_t num_samples) {
  const ScheduleSpec& schedule = spec.schedule();
  // In epochs where the schedule is in epochs, in steps where it is in steps: the formula is the same.
  const double unit = schedule.has_steps() ? 1 : static_cast<double>(StepsPerEpoch(spec, num_samples));
  const double now = static_cast<double>(steps_done) / unit;
  const double warmup = schedule.has_steps() ? static_cast<double>(schedule.warmup_steps()) : schedule.warmup_epochs();
  const double total = schedule.has_steps() ? static_cast<double>(schedule.steps()) : schedule.epochs();
  const double peak = PeakRate(spec);
  if (now < warmup) {
    const double last = warmup - (schedule.peak_in_warmup() ? 1 / unit : 0);  // where the rate is the peak
    return last > 0 ? peak * now / last : peak;
  }
  return HalfCosine(peak, schedule.min_rate(), (now - warmup) / (total - warmup));
}

double ProgressAt(const ScheduleSpec& schedule, int64_t steps_done, int64_t total_steps) {
  const int64_t whole = schedule.end_after_last_step() ? total_steps : total_steps - 1;
  return whole > 0 ? static_cast<double>(steps_done) / static_cast<double>(whole) : 0;
}

}  // namespace mimeo
