#include "worker/training/process_group.h"

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "absl/strings/str_cat.h"
#include "base/cuda_library.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "worker/cuda/nccl.h"

namespace mimeo {
namespace {

using BackendType = c10d::ProcessGroup::BackendType;

c10::intrusive_ptr<c10d::Backend> MakeGloo(const c10::intrusive_ptr<c10d::Store>& store,
                                           const ProcessGroupOptions& options) {
  auto gloo = c10d::ProcessGroupGloo::Options::create(absl::ToChronoMilliseconds(options.timeout));
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(options.host, /*lazyInit=*/false));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, options.rank, options.size, gloo);
}

c10::intrusive_ptr<c10d::Backend> MakeNccl(const CudaLibrary& cuda, const c10::intrusive_ptr<c10d::Store>& store,
                                           const ProcessGroupOptions& options) {
  const auto make = reinterpret_cast<MakeNcclBackend*>(cuda.Find(kMakeNcclBackend));
  const auto prefixed = c10::make_intrusive<c10d::PrefixStore>("nccl", store);
  return c10::intrusive_ptr<c10d::Backend>::reclaim(
      make(prefixed.get(), options.rank, options.size, absl::ToInt64Milliseconds(options.nccl_timeout)));
}

}  // namespace

absl::StatusOr<c10::intrusive_ptr<c10d::ProcessGroup>> MakeProcessGroup(const c10::intrusive_ptr<c10d::Store>& store,
                                                                        const ProcessGroupOptions& options) {
  const CudaLibrary* cuda = nullptr;
  if (options.device.is_cuda()) {
    ASSIGN_OR_RETURN(cuda, CudaLibrary::Load());
  }
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, options.rank, options.size);
  const absl::Status status = CatchTorch([&] {
    group->setBackend(c10::DeviceType::CPU, BackendType::GLOO, MakeGloo(store, options));
    group->setDefaultBackend(BackendType::GLOO);
    if (cuda == nullptr) return;
    group->setBackend(c10::DeviceType::CUDA, BackendType::NCCL, MakeNccl(*cuda, store, options));
    group->setDefaultBackend(BackendType::NCCL);
  });
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat("the ranks cannot reach each other: ", status.message()));
  }
  return group;
}

}  // namespace mimeo
