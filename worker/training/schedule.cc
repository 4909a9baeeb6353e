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
  if (now < warmup) return peak * now / warmup;
  return HalfCosine(peak, schedule.min_rate(), (now - warmup) / (total - warmup));
}

}  // namespace mimeo
