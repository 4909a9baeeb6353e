// The gRPC service Coordinator, by which clients speak to the coordinator (proto/coordinator.proto says what each
// method does and which errors it returns). It adds to CoordinatorCore the methods that stream: WatchJob, Metrics,
// Events and Logs. Each open stream holds a thread of the server, so there are at most kWatchers at one time, and a
// further one ends with ResourceExhausted. A stream whose client is gone is noticed within about a second. Thread-safe.
#pragma once

#include "base/limits.h"
#include "coordinator/coordinator.h"
#include "coordinator/stream_limit.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

class CoordinatorService final : public Coordinator::Service {
 public:
  static constexpr int kWatchers = limits::kRpcThreads / 4;

  // `core` must outlive the service. Its Close ends the streams.
  explicit CoordinatorService(CoordinatorCore* core) : core_(core) {}

  grpc::Status Submit(grpc::ServerContext*, const SubmitRequest* request, SubmitReply* reply) override;
  grpc::Status GetJob(grpc::ServerContext*, const GetJobRequest* request, Job* reply) override;
  grpc::Status ListJobs(grpc::ServerContext*, const ListJobsRequest* request, ListJobsReply* reply) override;
  grpc::Status WatchJob(grpc::ServerContext* context, const GetJobRequest* request,
                        grpc::ServerWriter<Job>* writer) override;
  grpc::Status ControlJob(grpc::ServerContext*, const ControlJobRequest* request, Job* reply) override;
  grpc::Status ExtendJob(grpc::ServerContext*, const ExtendJobRequest* request, Job* reply) override;
  grpc::Status DeleteJob(grpc::ServerContext*, const DeleteJobRequest* request, DeleteJobReply* reply) override;
  grpc::Status Explain(grpc::ServerContext*, const GetJobRequest* request, ExplainReply* reply) override;
  grpc::Status Metrics(grpc::ServerContext* context, const MetricsRequest* request,
                       grpc::ServerWriter<MetricsReply>* writer) override;
  grpc::Status Events(grpc::ServerContext* context, const EventsRequest* request,
                      grpc::ServerWriter<EventsReply>* writer) override;
  grpc::Status Logs(grpc::ServerContext* context, const LogsRequest* request,
                    grpc::ServerWriter<LogsReply>* writer) override;
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
