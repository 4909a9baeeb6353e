// Counts the operators that libtorch runs in this process as progress, because a forward pass of a big model may take
// minutes on a slow core, and nothing else moves in it. On a GPU the launches of operators count.
//
// It uses libtorch's own profiling hook. The hook hears of one operator in ten, drawn by libtorch, which costs about 20
// ns for each of all operators (90 ns if it heard of all); the cheapest operator takes 400 ns. A block of a transformer
// has dozens of them, so one in ten is enough.
#pragma once

#include <cstdint>

#include "base/progress.h"

namespace mimeo {

// Counts while it lives. There is one at a time in a process, and it is made and destroyed while no other thread runs
// operators.
class OperatorProgress {
 public:
  explicit OperatorProgress(Progress* progress);  // outlives it
  ~OperatorProgress();
  OperatorProgress(const OperatorProgress&) = delete;
  OperatorProgress& operator=(const OperatorProgress&) = delete;

 private:
  const uint64_t callback_;
};

}  // namespace mimeo
