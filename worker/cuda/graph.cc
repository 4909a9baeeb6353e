#include "worker/cuda/graph.h"

#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>

namespace mimeo {
namespace {

class LibtorchGraph final : public CudaGraph {
 public:
  void Begin() override {
    // What the steps before needed and left cached, the recorded one allocates again as its own.
    c10::cuda::CUDACachingAllocator::emptyCache();
    // Thread-local: other threads copy batches and pin memory meanwhile.
    graph_.capture_begin(/*pool=*/{0, 0}, cudaStreamCaptureModeThreadLocal);
  }
  void End() override { graph_.capture_end(); }
  void Replay() override { graph_.replay(); }

 private:
  at::cuda::CUDAGraph graph_;
};

}  // namespace
}  // namespace mimeo

extern "C" __attribute__((visibility("default"))) mimeo::CudaGraph* mimeo_make_cuda_graph() {
  return new mimeo::LibtorchGraph();
}

static_assert(std::is_same_v<decltype(mimeo_make_cuda_graph), mimeo::MakeCudaGraph>);
