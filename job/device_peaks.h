// What a device could compute at most, according to its vendor's data sheet. Pure.
#pragma once

#include <string>

#include "proto/job.pb.h"

namespace mimeo {

// GFLOP/s of dense matrix products, without sparsity, at `precision`: tensor cores for bfloat16 with float32
// accumulation, and the plain float32 units for float32, because this system does not use TF32. `device_name` is what
// the device's driver calls it. 0 where the table does not have it: an unknown peak is never guessed, and no
// utilisation is then shown.
double PeakGflopPerSecond(const std::string& device_name, Precision precision);

}  // namespace mimeo
