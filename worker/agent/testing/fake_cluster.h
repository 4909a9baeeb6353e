// A coordinator for tests of its peers: it answers what the test says, records what it hears, and can go away and come
// back at the same port. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/rpc/rpc.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo::testing {

class FakeCluster : public Cluster::Service {
 public:
  FakeCluster() { Start(); }

  std::string address() const;
  void GoAway() { server_.reset(); }
  void Start();

  void Assign(const std::vector<GangAssignment>& assignments) ABSL_LOCKS_EXCLUDED(mu_);
  void AnswerHeartbeatsWith(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);  // OK: with the assignments
  void Forget() ABSL_LOCKS_EXCLUDED(mu_);  // NotFound until the worker registers again

  // Waits until the newest heartbeat satisfies `ready` and returns it; after 20 s it fails the test with `what`.
  HeartbeatRequest AwaitHeartbeat(const std::string& what, const std::function<bool(const HeartbeatRequest&)>& ready)
      ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<WorkerIdentity> registrations() const ABSL_LOCKS_EXCLUDED(mu_);
  // Every worker's goodbye so far.
  std::vector<LeaveClusterRequest> goodbyes() const ABSL_LOCKS_EXCLUDED(mu_);

  grpc::Status RegisterWorker(grpc::ServerContext*, const RegisterWorkerRequest* request, RegisterWorkerReply*) override
      ABSL_LOCKS_EXCLUDED(mu_);
  grpc::Status Heartbeat(grpc::ServerContext*, const HeartbeatRequest* request, HeartbeatReply* reply) override
      ABSL_LOCKS_EXCLUDED(mu_);
  grpc::Status LeaveCluster(grpc::ServerContext*, const LeaveClusterRequest* request, LeaveClusterReply*) override
      ABSL_LOCKS_EXCLUDED(mu_);

 private:
  std::unique_ptr<RpcServer> server_;
  int port_ = 0;

  mutable absl::Mutex mu_;
  std::vector<GangAssignment> assignments_ ABSL_GUARDED_BY(mu_);
  absl::Status answer_ ABSL_GUARDED_BY(mu_);
  bool knows_worker_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<WorkerIdentity> registrations_ ABSL_GUARDED_BY(mu_);
  std::vector<LeaveClusterRequest> goodbyes_ ABSL_GUARDED_BY(mu_);
  HeartbeatRequest newest_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo::testing
