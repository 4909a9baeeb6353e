// What this machine has to train with.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace mimeo {

struct Machine {
  int cores = 1;
  int64_t memory_bytes = 0;      // of the host, as much as new processes may take
  int gpus = 0;                  // CUDA devices
  int64_t gpu_memory_bytes = 0;  // of the smallest of them
  bool gpu_bfloat16 = false;     // whether every one of them multiplies bfloat16 numbers
};

// Looks at this machine. Whether CUDA's libraries can be loaded is not tried: a measured rate shows it.
absl::StatusOr<Machine> LookAtMachine();

// "2 cores, 23 GB of free memory, no GPU"
std::string MachineText(const Machine& machine);

}  // namespace mimeo
