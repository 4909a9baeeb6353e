#include "worker/cuda/nccl.h"

#include <cuda.h>

#include <chrono>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

extern "C" __attribute__((visibility("default"))) c10d::Backend* mimeo_make_nccl_backend(c10d::Store* store, int rank,
                                                                                         int size, int64_t timeout_ms) {
  const auto shared_store = c10::intrusive_ptr<c10d::Store>::reclaim_copy(store);
  // Gradients' small last buckets must not queue behind the next step's kernels.
  const auto options = c10d::ProcessGroupNCCL::Options::create(/*is_high_priority_stream=*/true);
  options->timeout = std::chrono::milliseconds(timeout_ms);
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(shared_store, rank, size, options).release();
}

static_assert(std::is_same_v<decltype(mimeo_make_nccl_backend), mimeo::MakeNcclBackend>);
// base/cuda_driver.cc asks by number, without this header.
static_assert(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR == 75 && CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR == 76);
