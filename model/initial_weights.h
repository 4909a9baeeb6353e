// How the authors of a method draw the weights that training starts from (InitialWeights of proto/job.proto, which has
// the sources). Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

// How a parameter called `name` is drawn where MAE's authors would draw it as `maes`. `maes.fan_in` is the number of
// inputs of the layer, where the parameter is a bias.
Draw DrawOf(InitialWeights kind, const std::string& name, at::IntArrayRef shape, const Draw& maes);

// Whether learned positions are drawn too. If not, they start as the sine-cosine ones.
bool DrawsPositions(InitialWeights kind);

}  // namespace mimeo
