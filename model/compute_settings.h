// How libtorch computes in this process, for every program whose numbers or speed are to be those of a training.
#pragma once

namespace mimeo {

// `threads`: that share one operator's work. Call it at the start, on the thread that computes: threads inherit its
// treatment of denormal numbers, and those that run already keep their own.
void SetUpCompute(int threads);

}  // namespace mimeo
