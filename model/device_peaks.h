// What a device could do at most, by its vendor's data sheet. Pure.
#pragma once

#include <string>

#include "proto/job.pb.h"

namespace mimeo {

// GFLOP/s of dense matrix products (no sparsity) at `precision`: tensor cores for bfloat16 with float32 accumulation,
// plain float32 units for float32 (this system does not use TF32). 0 where the device, named as its driver names it, is
// not in the table: an unknown peak is never guessed.
double PeakGflopPerSecond(const std::string& device_name, Precision precision);

}  // namespace mimeo
