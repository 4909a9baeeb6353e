// The end of each method of the coordinator's services: it turns the status into gRPC's, and counts an error in the
// coordinator's metrics. Every method returns through it, so that no error is left out of the count. Thread-safe.
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

// The same for a method whose reply is a value. After an error `*reply` is untouched.
template <typename T>
grpc::Status Answer(CoordinatorCore* core, absl::StatusOr<T> result, T* reply) {
  if (!result.ok()) return Answer(core, result.status());
  *reply = *std::move(result);
  return Answer(core, absl::OkStatus());
}

}  // namespace mimeo
