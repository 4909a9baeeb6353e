// What libmimeo_cuda.so exports by name (base/cuda_library.h) for CUDA graphs. It includes nothing of CUDA, so that the
// loader's side compiles without it.
#pragma once

namespace mimeo {

// Work that the calling thread's current stream is given between Begin and End is recorded and not done. Replay gives
// it to the current stream, as often as one likes. Memory that was allocated between them stays the graph's. One
// thread, on a stream that is not the default one. Every function may throw.
class CudaGraph {
 public:
  virtual ~CudaGraph() = default;
  virtual void Begin() = 0;
  virtual void End() = 0;
  virtual void Replay() = 0;
};

inline constexpr char kMakeCudaGraph[] = "mimeo_make_cuda_graph";
using MakeCudaGraph = CudaGraph*();  // the caller deletes the graph

}  // namespace mimeo
