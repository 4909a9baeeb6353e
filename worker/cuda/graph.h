// What libmimeo_cuda.so exports, by name (base/cuda_library.h): a CUDA graph.
#pragma once

namespace mimeo {

// What the calling thread's current stream is given between Begin and End is recorded, not done; Replay gives it to the
// current stream, as often as wanted. What was allocated between them stays the graph's. One thread; the stream is not
// the default one. May throw.
class CudaGraph {
 public:
  virtual ~CudaGraph() = default;
  virtual void Begin() = 0;
  virtual void End() = 0;
  virtual void Replay() = 0;
};

inline constexpr char kMakeCudaGraph[] = "mimeo_make_cuda_graph";
using MakeCudaGraph = CudaGraph*();  // the caller's to delete

}  // namespace mimeo
