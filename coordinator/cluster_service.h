// CoordinatorCore as the gRPC service for workers and teachers (proto/coordinator.proto). Thread-safe. What they may
// say is checked here (coordinator/request_checks.h), before the core hears of it.
#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "coordinator/coordinator.h"
#include "coordinator/request_checks.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

class ClusterService final : public Cluster::Service {
 public:
  explicit ClusterService(CoordinatorCore* core) : core_(core) {}

  grpc::Status RegisterWorker(grpc::ServerContext*, const RegisterWorkerRequest* request,
                              RegisterWorkerReply* reply) override;
  grpc::Status Heartbeat(grpc::ServerContext*, const HeartbeatRequest* request, HeartbeatReply* reply) override;
  grpc::Status LeaveCluster(grpc::ServerContext*, const LeaveClusterRequest* request, LeaveClusterReply*) override;
  grpc::Status ReportSteps(grpc::ServerContext*, const ReportStepsRequest* request, ReportStepsReply*) override;
  grpc::Status CommitCheckpoint(grpc::ServerContext*, const CommitCheckpointRequest* request,
                                CommitCheckpointReply*) override;
  grpc::Status TeacherHeartbeat(grpc::ServerContext*, const TeacherHeartbeatRequest* request,
                                TeacherHeartbeatReply*) override;

 private:
  absl::Status Register(const WorkerIdentity& worker);
  absl::Status Hear(const TeacherHeartbeatRequest& teacher);
  // Counts the statuses that a heartbeat lost, and logs why where that is new.
  void NoteRefused(const std::string& worker_id, const RefusedStatuses& refused) ABSL_LOCKS_EXCLUDED(mu_);

  CoordinatorCore* const core_;
  absl::Mutex mu_;
  std::map<std::string, std::string> refusals_
      ABSL_GUARDED_BY(mu_);  // by worker, the last logged; as many as are registered
};

}  // namespace mimeo
