// The operators that libtorch runs in this process count as progress: a forward pass of a big model may take minutes on
// a slow core, and in it nothing else moves. On a GPU what counts is that operators are launched.
//
// By libtorch's own profiling hook. It hears of one operator in ten, drawn by libtorch, which costs some 20 ns for each
// of all operators (90 ns where it hears of all); the cheapest operator takes 400 ns. A block of a transformer has
// dozens.
#pragma once

#include <cstdint>

#include "base/progress.h"

namespace mimeo {

// While it lives. One at a time in a process, made and destroyed while no other thread runs operators.
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
