// What libmimeo_cuda.so exports, by name (base/cuda_library.h).
#pragma once

#include <cstdint>

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace mimeo {

inline constexpr char kMakeNcclBackend[] = "mimeo_make_nccl_backend";
// A ProcessGroupNCCL whose reference is the caller's to release; `store` is borrowed for the call and then shared. May
// throw.
using MakeNcclBackend = c10d::Backend*(c10d::Store* store, int rank, int size, int64_t timeout_ms);

}  // namespace mimeo
