// Makes one vector of an encoding's tokens. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/encoder.h"
#include "proto/job.pb.h"

namespace mimeo {

// (B, D): the class token, or the mean of the visible patches' tokens, which has no class token in it. REQUIRES: a
// class token for POOLING_CLASS.
at::Tensor Pool(const Encoding& encoding, Pooling pooling);

}  // namespace mimeo
