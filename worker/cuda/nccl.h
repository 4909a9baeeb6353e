// What libmimeo_cuda.so exports by name (base/cuda_library.h) for collectives between GPUs.
#pragma once

#include <cstdint>

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace mimeo {

// The name is a C symbol. Its type below is checked when the library is compiled (worker/cuda/nccl.cc).
inline constexpr char kMakeNcclBackend[] = "mimeo_make_nccl_backend";
// Makes a ProcessGroupNCCL, whose one reference the caller releases. `store` is borrowed for the call; the group takes
// a reference of its own. It may throw.
using MakeNcclBackend = c10d::Backend*(c10d::Store* store, int rank, int size, int64_t timeout_ms);

}  // namespace mimeo
