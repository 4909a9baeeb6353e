// An agent's conversation with the coordinator: register, then heartbeat, and register again when the coordinator asks.
// One thread, but for Cancel.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

class CoordinatorSession {
 public:
  // `identity` with its incarnation.
  CoordinatorSession(const std::string& coordinator_address, const WorkerIdentity& identity);

  // Says how the ranks are, hears which should run. An error leaves everything as it is: call again later.
  // FailedPrecondition: a newer agent has this worker id. InvalidArgument: the identity is refused. These two are for good.
  absl::StatusOr<std::vector<GangAssignment>> Beat(const std::vector<RankStatus>& ranks);

  // Any thread. Ends the call in progress and refuses later ones.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Status Register();
  absl::Status Heartbeat(const std::vector<RankStatus>& ranks, HeartbeatReply* reply);
  bool Enter(grpc::ClientContext* context) ABSL_LOCKS_EXCLUDED(mu_);
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);

  const WorkerIdentity identity_;
  const std::unique_ptr<Cluster::Stub> stub_;
  bool registered_ = false;

  absl::Mutex mu_;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mu_) = nullptr;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mimeo
