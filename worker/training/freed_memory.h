// Keeps a rank from growing. Its allocator keeps all pages that tensors have freed (worker/agent/rank_environment.cc),
// which saves the kernel from clearing them in every step, but it joins no freed pieces: where the sizes do not fit
// together, each step takes a little more from the system, for ever. One thread.
#pragma once

#include <cstdint>

namespace mimeo {

// When a process has grown since it last gave its pages back. Pure.
class GrowthWatch {
 public:
  // What it holds at the end of one more step. True: that is a tenth more, and at least 32 MiB, than it held in the
  // first few steps. Then it begins anew.
  bool HasGrown(int64_t resident_bytes);

 private:
  int steps_ = 0;
  int64_t settled_ = 0;  // the most that it held in the first few steps
};

class FreedMemory {
 public:
  // To be called at the end of each step. Where the process has grown, its freed pages go back to the system, and the
  // next step takes what it needs anew: that costs it a fraction of a second. With another allocator nothing is done.
  void AfterStep();

 private:
  GrowthWatch watch_;
};

}  // namespace mimeo
