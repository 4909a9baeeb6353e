// Brings CUDA into a process that was linked without it. A machine without GPUs need not have CUDA, cuDNN and NCCL, so
// all of them, and libtorch's part for CUDA, are in a shared object of their own, libmimeo_cuda.so (worker/cuda). This
// is the only place that loads it. This header itself needs neither CUDA nor libtorch. Thread-safe.
#pragma once

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

class CudaLibrary {
 public:
  // Loads the library at the first call; every later call gives the same answer, also where it is an error. It is never
  // unloaded. Call it before anything asks libtorch whether there is CUDA, because libtorch remembers the answer.
  // FailedPrecondition says what is missing, in the words of the dynamic linker, and the command that installs it.
  static absl::StatusOr<const CudaLibrary*> Load();

  // The address of a function that the library exports under this name (worker/cuda/nccl.h). A name that it does not
  // export ends the process: then library and executable are of different builds.
  void* Find(absl::string_view symbol) const;

 private:
  explicit CudaLibrary(void* handle) : handle_(handle) {}
  void* const handle_;
};

}  // namespace mimeo
