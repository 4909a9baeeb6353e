// An agent's conversation with the coordinator: register, then heartbeat, and register again when the coordinator asks;
// at last a goodbye. One thread, but for Interrupt and Cancel.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rpc/cancellable_call.h"
#include "base/rpc/channel_options.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

// `rank`; where it cannot be encoded, without the texts at fault and with a sentence as its message: one byte that is
// no text would cost the whole heartbeat, and with it the worker.
RankStatus Encodable(const RankStatus& rank);

class CoordinatorSession {
 public:
  // `identity` with its incarnation.
  CoordinatorSession(const ChannelOptions& channels, const std::string& coordinator_address,
                     const WorkerIdentity& identity);

  // Says how the ranks are, hears which should run. An error leaves everything as it is: call again later.
  // FailedPrecondition: a newer agent has this worker id. InvalidArgument: the identity is refused. These two are for
  // good. `leaving`: the agent was told to stop; it does not wait long for an answer then.
  absl::StatusOr<std::vector<GangAssignment>> Beat(const std::vector<RankStatus>& ranks, bool leaving);
  // The worker's slots are gone at once. Does not wait long either. Nothing is said where nobody knows this worker.
  absl::Status LeaveCluster(const std::vector<RankStatus>& ranks);

  // Any thread. Ends the call in progress.
  void Interrupt() { call_.Interrupt(); }
  // Any thread. Ends the call in progress and refuses later ones.
  void Cancel() { call_.Cancel(); }

 private:
  absl::Status Register(absl::Duration timeout);
  absl::Status Heartbeat(const std::vector<RankStatus>& ranks, bool leaving, HeartbeatReply* reply);
  absl::Status Call(absl::Duration timeout, const std::function<grpc::Status(grpc::ClientContext*)>& call);

  const WorkerIdentity identity_;
  const std::unique_ptr<Cluster::Stub> stub_;
  bool registered_ = false;
  CancellableCall call_;
};

}  // namespace mimeo
