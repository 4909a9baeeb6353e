// The arithmetic of a training step, to judge speed by. Pure.
#pragma once

#include "proto/job.pb.h"

namespace mimeo {

// GFLOP per image (all of its views), forward and backward, of the method as published: 2 x multiply-adds of the matrix
// products, three times the forward pass, a transformer block of N tokens costing (4 + 2 * mlp_ratio) N D^2 + 2 N^2 D
// multiply-adds. Every patch is counted as embedded and every token as decoded, whatever this implementation skips, so that
// figures compare with other implementations'. Mimic heads (under 0.5 %) and teachers are not counted.
// `num_visible`: K. REQUIRES: a resolved spec.
double TrainGflopPerImage(const JobSpec& spec, int num_visible);

}  // namespace mimeo
