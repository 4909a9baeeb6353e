// The learning rate as facebookresearch/mae sets it (util/lr_sched.py, engine_pretrain.py): per step, by the fraction
// of the epoch; linear warm-up from 0, then half a cosine down to min_rate. Pure.
#pragma once

#include <cstdint>

#include "proto/job.pb.h"

namespace mimeo {

// base_rate * global_batch / 256 (the linear scaling rule, arXiv 1706.02677).
double PeakRate(const JobSpec& spec);

// Of the update after `steps_done` updates. REQUIRES: a resolved spec.
double LearningRate(const JobSpec& spec, int64_t steps_done, int64_t num_samples);

}  // namespace mimeo
