// CUDA, cuDNN and NCCL, which a machine without GPUs need not have: libmimeo_cuda.so brings libtorch's CUDA half into
// the process (worker/cuda). The only place that loads it; this header needs no CUDA and no torch. Thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

class CudaLibrary {
 public:
  // Loads it, once a process; afterwards libtorch has CUDA. Call before anything asks libtorch for CUDA: it remembers a
  // no. FailedPrecondition: what is missing, in the dynamic linker's words, and the command that installs it.
  static absl::StatusOr<const CudaLibrary*> Load();

  // A function that it exports by this name (worker/cuda/nccl.h). CHECK: it does.
  void* Find(absl::string_view symbol) const;

 private:
  explicit CudaLibrary(void* handle) : handle_(handle) {}
  void* const handle_;
};

}  // namespace mimeo
