// One vector of an encoding. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/encoder.h"
#include "proto/job.pb.h"

namespace mimeo {

// (B, D). REQUIRES: a class token for POOLING_CLASS.
at::Tensor Pool(const Encoding& encoding, Pooling pooling);

}  // namespace mimeo
