// How a chosen training is shared out over this machine: batch, ranks, threads and memory. Pure.
#pragma once

#include <cstdint>

#include "client/auto/ladder.h"
#include "client/auto/machine.h"

namespace mimeo {

struct Gang {
  int64_t batch = 0;  // images of a step, over all ranks
  int ranks = 1;
  int threads = 1;         // of each rank
  int64_t rank_bytes = 0;  // of memory that a rank needs, about: of the GPU's where there are GPUs, else of the host's
  int64_t memory_bytes = 0;  // that all ranks together may have there
  bool fits() const { return rank_bytes * ranks <= memory_bytes; }
};

// For `trained` photos. `asked` ranks, or where that is 0 as many as the machine and its memory have room for; on GPUs
// one for each. What does not fit with one rank and the smallest batch is returned as it is: fits() is false.
Gang ShareOut(const Size& size, Method method, int64_t trained, const Machine& machine, int asked,
              int64_t teacher_parameters);

}  // namespace mimeo
