// Which parameters share a rate and a weight decay, and which have a part in the loss in the same steps. Pure functions
// of names and shapes.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

// Matrices and more do, vectors (biases, norms) do not, as timm's add_weight_decay and MAE; nor do positions.
bool IsDecayed(const std::string& name, const at::Tensor& parameter);

// Transformer blocks of the encoder, by its parameters' names.
int NumEncoderBlocks(const Parameters& parameters);

// layer_decay^(num_blocks + 1 - id), with id 0 for what embeds patches (convolution stages too), i + 1 for block i
// (from 0) and num_blocks + 1 for all else (facebookresearch/mae, util/lr_decay.py; Alpha-VL/ConvMAE,
// util/lr_decay.py).
double RateScale(const std::string& name, int num_blocks, double layer_decay);

// Empty: the loss depends on the parameter in every step. Else the name of all that joins, or leaves, together with it:
// the parameter itself, for prototypes that stay frozen for a while (facebookresearch/dino takes their gradient away);
// "objective.NAME", for the head of an objective whose weight falls to 0. `spec` is resolved.
std::string CohortOf(const JobSpec& spec, const std::string& name);

// Whether the loss depends on that cohort at `progress` in [0, 1] of training.
bool IsLive(const JobSpec& spec, const std::string& cohort, double progress);

}  // namespace mimeo
