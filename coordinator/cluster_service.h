// The gRPC service Cluster, by which workers and teacher servers speak to the coordinator (proto/coordinator.proto says
// what each method does and which errors it returns). What a peer says is checked here (coordinator/request_checks.h),
// before CoordinatorCore hears of it, because a peer may be broken or of another version. Thread-safe.
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
  // `core` must outlive the service.
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
  grpc::Status SendLogs(grpc::ServerContext*, const SendLogsRequest* request, SendLogsReply*) override;

 private:
  absl::Status Register(const WorkerIdentity& worker);
  absl::Status Hear(const TeacherHeartbeatRequest& teacher);
  // Counts the statuses that a heartbeat lost, and logs why where that is new.
  void NoteRefused(const std::string& worker_id, const RefusedStatuses& refused) ABSL_LOCKS_EXCLUDED(mu_);

  CoordinatorCore* const core_;
  absl::Mutex mu_;
  // The reason that was logged last, by worker. There are at most as many as workers are registered.
  std::map<std::string, std::string> refusals_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
