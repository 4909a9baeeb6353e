// The last line of each method of the coordinator's services: it turns a status into gRPC's, and counts an error in the
// metrics. Thread-safe functions.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/rpc/rpc.h"
#include "coordinator/coordinator.h"

namespace mimeo {

inline grpc::Status Answer(CoordinatorCore* core, const absl::Status& status) {
  if (!status.ok()) core->metrics().RpcFailed();
  return ToGrpc(status);
}

template <typename T>
grpc::Status Answer(CoordinatorCore* core, absl::StatusOr<T> result, T* reply) {
  if (!result.ok()) return Answer(core, result.status());
  *reply = *std::move(result);
  return Answer(core, absl::OkStatus());
}

}  // namespace mimeo
