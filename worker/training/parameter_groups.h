// Which parameters share a rate and a weight decay. Pure functions of names and shapes.
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

// layer_decay^(num_blocks + 1 - id), with id 0 for what embeds patches (convolution stages too), i + 1 for block i (from 0) and
// num_blocks + 1 for all else (facebookresearch/mae, util/lr_decay.py; Alpha-VL/ConvMAE, util/lr_decay.py).
double RateScale(const std::string& name, int num_blocks, double layer_decay);

}  // namespace mimeo
