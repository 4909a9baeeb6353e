// Which parameters share a rate and a weight decay, and which ones have a part in the loss in the same steps. Pure
// functions of names and shapes.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

// Whether weight decay works on a parameter, where what decays is `decayed` (proto/job.proto). With DECAYED_MATRICES,
// matrices and tensors with more dimensions decay, and vectors (biases, norms) do not, as in timm's add_weight_decay
// and in MAE.
bool IsDecayed(Decayed decayed, const std::string& name, const at::Tensor& parameter);

// How many transformer blocks the encoder has, by the names of its parameters.
int NumEncoderBlocks(const Parameters& parameters);

// The factor of a parameter's rate: layer_decay^(num_blocks + 1 - id). The id is 0 for what embeds patches (convolution
// stages too), i + 1 for block i (from 0), and num_blocks + 1 for all else (facebookresearch/mae, util/lr_decay.py;
// Alpha-VL/ConvMAE, util/lr_decay.py). A layer_decay of 1 gives 1 to all.
double RateScale(const std::string& name, int num_blocks, double layer_decay);

// Whether the loss depends on the parameters of that cohort (CohortOf, job/model_tensors.h) at `progress` in [0, 1] of
// the training.
bool IsLive(const JobSpec& spec, const std::string& cohort, double progress);

}  // namespace mimeo
