// How libtorch computes in this process. Every program calls this whose numbers or speed are to be those of a training.
#pragma once

namespace mimeo {

// `threads` share the work of one operator. Numbers below the smallest normal one become 0, because they cost a hundred
// times as much and nothing here depends on them, and cuDNN does not round float32 inputs to TF32. Call it at the
// start, on the thread that computes: new threads inherit how denormal numbers are treated, and those that run already
// keep their own way.
void SetUpCompute(int threads);

}  // namespace mimeo
