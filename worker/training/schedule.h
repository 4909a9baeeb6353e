// The learning rate as facebookresearch/mae sets it (util/lr_sched.py, engine_pretrain.py): anew for each step, by the
// fraction of the epoch, with a linear warm-up from 0 and then half a cosine down to min_rate. Pure.
#pragma once

#include <cstdint>

#include "proto/job.pb.h"

namespace mimeo {

// The rate at the end of the warm-up: base_rate * global_batch / 256 (the linear scaling rule, arXiv 1706.02677).
double PeakRate(const JobSpec& spec);

// The rate of the update that follows `steps_done` updates. `num_samples` is the data set's size, which decides how
// long an epoch is. REQUIRES: a resolved spec.
double LearningRate(const JobSpec& spec, int64_t steps_done, int64_t num_samples);

// The share of the training that is done after `steps_done` of `total_steps` updates, in [0, 1]: weight decay, the
// average's decay, temperatures and weights of objectives follow it. At the last update it is 1, or a step's share less
// with end_after_last_step.
double ProgressAt(const ScheduleSpec& schedule, int64_t steps_done, int64_t total_steps);

}  // namespace mimeo
