// An agent's conversation with the coordinator: it registers, sends heartbeats, registers again when the coordinator
// does not know it any more, and at last says goodbye. One thread uses it; only Interrupt and Cancel may come from
// others.
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

// Returns `rank` as it is, if it can be encoded. Otherwise the texts at fault are removed and a message says so: a
// single byte that is no text would make every heartbeat fail, and cost the whole worker.
RankStatus Encodable(const RankStatus& rank);

// What the coordinator answers to a heartbeat.
struct Orders {
  std::vector<GangAssignment> assignments;  // of every rank that should run
  std::vector<LogWish> logs;                // what somebody wants to read
};

class CoordinatorSession {
 public:
  // `identity` has its incarnation already.
  CoordinatorSession(const ChannelOptions& channels, const std::string& coordinator_address,
                     const WorkerIdentity& identity);

  // Tells the coordinator how the ranks are, and returns which ones should run and whose logs are wanted. It blocks,
  // for at most 1.5 s per call to the coordinator when the agent is `leaving`, and otherwise for limits::kRpcDeadline.
  //
  // FailedPrecondition: a newer agent has this worker id, or the protocol versions differ. InvalidArgument: the
  // identity is refused. These two last. After any other error everything stays as it is, and the caller tries again
  // later.
  absl::StatusOr<Orders> Beat(const std::vector<RankStatus>& ranks, bool leaving);
  // Sends what was asked for. Blocks for at most 1.5 s. Where it fails, the next heartbeat asks again.
  absl::Status SendLogs(const std::vector<LogPiece>& pieces);
  // Says goodbye: the worker's slots are gone at once. Blocks for at most 1.5 s. Where the coordinator never knew this
  // worker, nothing is said.
  absl::Status LeaveCluster(const std::vector<RankStatus>& ranks);

  // Any thread may call it. It ends the call in progress with Cancelled.
  void Interrupt() { call_.Interrupt(); }
  // Any thread may call it. It ends the call in progress and refuses later ones, with Cancelled.
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
