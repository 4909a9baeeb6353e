// CoordinatorCore as the gRPC service for workers and teachers (proto/coordinator.proto). Thread-safe.
#pragma once

#include "coordinator/coordinator.h"
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
  CoordinatorCore* const core_;
};

}  // namespace mimeo
