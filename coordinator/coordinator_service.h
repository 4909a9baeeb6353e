// CoordinatorCore as the gRPC service for clients (proto/coordinator.proto). Thread-safe. Adds streams, at most
// kWatchers at once.
#pragma once

#include "base/limits.h"
#include "coordinator/coordinator.h"
#include "coordinator/stream_limit.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

class CoordinatorService final : public Coordinator::Service {
 public:
  static constexpr int kWatchers = limits::kRpcThreads / 4;

  explicit CoordinatorService(CoordinatorCore* core) : core_(core) {}

  grpc::Status Submit(grpc::ServerContext*, const SubmitRequest* request, SubmitReply* reply) override;
  grpc::Status GetJob(grpc::ServerContext*, const GetJobRequest* request, Job* reply) override;
  grpc::Status ListJobs(grpc::ServerContext*, const ListJobsRequest* request, ListJobsReply* reply) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const GetJobRequest* request,
                        grpc::ServerWriter<Job>* writer) override;
  grpc::Status ControlJob(grpc::ServerContext*, const ControlJobRequest* request, Job* reply) override;
  grpc::Status DeleteJob(grpc::ServerContext*, const DeleteJobRequest* request, DeleteJobReply* reply) override;
  grpc::Status Explain(grpc::ServerContext*, const GetJobRequest* request, ExplainReply* reply) override;
  grpc::Status Metrics(grpc::ServerContext* context, const MetricsRequest* request,
                       grpc::ServerWriter<MetricsReply>* writer) override;
  grpc::Status ListWorkers(grpc::ServerContext*, const ListWorkersRequest* request, ListWorkersReply* reply) override;
  grpc::Status ListTeachers(grpc::ServerContext*, const ListTeachersRequest* request,
                            ListTeachersReply* reply) override;
  grpc::Status ListCheckpoints(grpc::ServerContext*, const ListCheckpointsRequest* request,
                               ListCheckpointsReply* reply) override;
  grpc::Status DrainWorker(grpc::ServerContext*, const DrainWorkerRequest* request, DrainWorkerReply* reply) override;

 private:
  CoordinatorCore* const core_;
  StreamLimit watchers_{kWatchers};
};

}  // namespace mimeo
