#include "base/cuda_library.h"

#include <dlfcn.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/find_binary.h"
#include "base/status_macros.h"

namespace mimeo {
namespace {

absl::StatusOr<void*> Open() {
  ASSIGN_OR_RETURN(const std::string path, FindBinary("libmimeo_cuda.so"));
  // Global: libtorch's own CUDA libraries find each other's symbols this way, as under Python.
  void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (handle == nullptr) return absl::NotFoundError(dlerror());
  return handle;
}

}  // namespace

absl::StatusOr<const CudaLibrary*> CudaLibrary::Load() {
  static const auto* const loaded = [] {
    auto opened = Open();
    if (opened.ok()) return new absl::StatusOr<const CudaLibrary*>(new CudaLibrary(*opened));
    return new absl::StatusOr<const CudaLibrary*>(
        absl::FailedPreconditionError(absl::StrCat("CUDA cannot be used: ", opened.status().message(),
                                                   ". 'scripts/setup --cuda' installs NVIDIA's libraries and builds "
                                                   "libmimeo_cuda.so; a driver for CUDA 13 is the host's own")));
  }();
  return *loaded;
}

void* CudaLibrary::Find(absl::string_view symbol) const {
  void* const found = dlsym(handle_, std::string(symbol).c_str());
  MIMEO_CHECK(found != nullptr, "libmimeo_cuda.so is of another build: it lacks ", symbol);
  return found;
}

}  // namespace mimeo
