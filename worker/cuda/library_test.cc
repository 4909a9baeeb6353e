#include <ATen/detail/CUDAHooksInterface.h>
#include <gtest/gtest.h>

#include "base/cuda_library.h"
#include "worker/cuda/graph.h"
#include "worker/cuda/nccl.h"

namespace mimeo {
namespace {

TEST(CudaLibraryTest, BringsNcclOrSaysWhatIsMissingAndHowToGetIt) {
  const auto library = CudaLibrary::Load();
  if (library.ok()) {
    EXPECT_NE((*library)->Find(kMakeNcclBackend), nullptr);
    EXPECT_NE((*library)->Find(kMakeCudaGraph), nullptr);
    // Without libtorch's CUDA half this throws; a GPU is not needed.
    EXPECT_GE(at::detail::getCUDAHooks().versionCUDART(), 13000);
    EXPECT_EQ(*CudaLibrary::Load(), *library) << "loaded twice";
    return;
  }
  EXPECT_EQ(library.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(library.status().message().find("cannot open shared object file"), absl::string_view::npos)
      << library.status();
  EXPECT_NE(library.status().message().find("scripts/setup --cuda"), absl::string_view::npos) << library.status();
}

}  // namespace
}  // namespace mimeo
