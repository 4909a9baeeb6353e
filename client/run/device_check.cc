#include "client/run/device_check.h"

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/wait.h"

namespace mimeo {
namespace {

constexpr absl::Duration kRegistrationPatience = absl::Seconds(10);  // of agents that have announced themselves already

absl::Status CheckDevice(const ResourceSpec& resources, const WorkerIdentity& worker, const DeviceInfo& device) {
  if (resources.device() == DEVICE_CUDA && device.device() != DEVICE_CUDA) {
    return absl::FailedPreconditionError(
        absl::StrCat("resources.device: DEVICE_CUDA, and this machine has no CUDA device that can be used (logs/",
                     worker.id(), ".log of the run may say why); DEVICE_AUTO takes the CPU"));
  }
  if (resources.precision() == PRECISION_BF16 && !device.bfloat16()) {
    return absl::FailedPreconditionError(absl::StrCat("resources.precision: PRECISION_BF16, and ", device.name(),
                                                      " has no bfloat16 products; use PRECISION_FP32"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDevices(Coordinator::Stub* coordinator, const ResourceSpec& resources, int workers) {
  const absl::Time deadline = Clock::Real()->Now() + kRegistrationPatience;
  ListWorkersReply known;
  while (true) {
    grpc::ClientContext context;
    SetDeadline(&context, limits::kRpcDeadline);
    RETURN_IF_ERROR(FromGrpc(coordinator->ListWorkers(&context, ListWorkersRequest(), &known)));
    if (known.workers_size() >= workers || Clock::Real()->Now() >= deadline) break;
    WaitFor(absl::Milliseconds(20));
  }
  for (const Worker& worker : known.workers()) {
    for (const DeviceInfo& device : worker.identity().devices()) {
      RETURN_IF_ERROR(CheckDevice(resources, worker.identity(), device));
    }
  }
  return absl::OkStatus();
}

}  // namespace mimeo
