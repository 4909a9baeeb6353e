#include "worker/training/process_group.h"

#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "absl/strings/str_cat.h"
#include "worker/training/gang.h"
#ifdef MIMEO_NCCL
#include "worker/training/process_group_nccl.h"
#endif

namespace mimeo {
namespace {

c10::intrusive_ptr<c10d::Backend> MakeGloo(const c10::intrusive_ptr<c10d::Store>& store, const ProcessGroupOptions& options) {
  auto gloo = c10d::ProcessGroupGloo::Options::create(absl::ToChronoMilliseconds(options.timeout));
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(options.host, /*lazyInit=*/false));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, options.rank, options.size, gloo);
}

}  // namespace

absl::StatusOr<c10::intrusive_ptr<c10d::ProcessGroup>> MakeProcessGroup(const c10::intrusive_ptr<c10d::Store>& store,
                                                                        const ProcessGroupOptions& options) {
#ifndef MIMEO_NCCL
  if (options.device.is_cuda()) {
    return absl::FailedPreconditionError("this worker was built without NCCL: build it with --config=cuda, or set resources.device to DEVICE_CPU");
  }
#endif
  auto group = c10::make_intrusive<c10d::ProcessGroup>(store, options.rank, options.size);
  const absl::Status status = CatchTorch([&] {
#ifdef MIMEO_NCCL
    if (options.device.is_cuda()) {
      group->setBackend(c10::DeviceType::CUDA, c10d::ProcessGroup::BackendType::NCCL, MakeNccl(store, options));
      group->setDefaultBackend(c10d::ProcessGroup::BackendType::NCCL);
      return;
    }
#endif
    group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, MakeGloo(store, options));
    group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  });
  if (!status.ok()) return absl::UnavailableError(absl::StrCat("the ranks cannot reach each other: ", status.message()));
  return group;
}

}  // namespace mimeo
