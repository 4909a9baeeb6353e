#include "coordinator/cluster_service.h"

#include <google/protobuf/util/time_util.h>

#include "coordinator/answer.h"

namespace mimeo {

grpc::Status ClusterService::RegisterWorker(grpc::ServerContext*, const RegisterWorkerRequest* request,
                                            RegisterWorkerReply* reply) {
  *reply->mutable_lease() =
      google::protobuf::util::TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(core_->lease()));
  return Answer(core_, core_->RegisterWorker(request->worker()));
}

grpc::Status ClusterService::Heartbeat(grpc::ServerContext*, const HeartbeatRequest* request, HeartbeatReply* reply) {
  return Answer(core_, core_->Heartbeat(*request), reply);
}

grpc::Status ClusterService::LeaveCluster(grpc::ServerContext*, const LeaveClusterRequest* request, LeaveClusterReply*) {
  return Answer(core_, core_->LeaveCluster(*request));
}

grpc::Status ClusterService::ReportSteps(grpc::ServerContext*, const ReportStepsRequest* request, ReportStepsReply*) {
  return Answer(core_, core_->ReportSteps(*request));
}

grpc::Status ClusterService::CommitCheckpoint(grpc::ServerContext*, const CommitCheckpointRequest* request,
                                              CommitCheckpointReply*) {
  return Answer(core_, core_->CommitCheckpoint(request->manifest()));
}

grpc::Status ClusterService::TeacherHeartbeat(grpc::ServerContext*, const TeacherHeartbeatRequest* request,
                                              TeacherHeartbeatReply*) {
  return Answer(core_, core_->TeacherHeartbeat(*request));
}

}  // namespace mimeo
