#include "coordinator/cluster_service.h"

#include <google/protobuf/util/time_util.h>
#include <spdlog/spdlog.h>

#include <string>

#include "base/build_info.h"
#include "base/status_macros.h"
#include "coordinator/answer.h"
#include "coordinator/request_checks.h"

namespace mimeo {

// The protocol version first: what else is wrong may only be what this build does not know.
absl::Status ClusterService::Register(const WorkerIdentity& worker) {
  RETURN_IF_ERROR(CheckProtocol("worker", worker.id(), worker.build()));
  RETURN_IF_ERROR(CheckWorker(worker));
  return core_->RegisterWorker(worker);
}

absl::Status ClusterService::Hear(const TeacherHeartbeatRequest& teacher) {
  RETURN_IF_ERROR(CheckProtocol("teacher", teacher.name(), teacher.build()));
  RETURN_IF_ERROR(CheckTeacher(teacher));
  return core_->TeacherHeartbeat(teacher);
}

grpc::Status ClusterService::RegisterWorker(grpc::ServerContext*, const RegisterWorkerRequest* request,
                                            RegisterWorkerReply* reply) {
  *reply->mutable_lease() =
      google::protobuf::util::TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(core_->lease()));
  return Answer(core_, Register(request->worker()));
}

grpc::Status ClusterService::Heartbeat(grpc::ServerContext*, const HeartbeatRequest* request, HeartbeatReply* reply) {
  HeartbeatRequest taken = *request;
  const RefusedStatuses refused = TakeStatuses(taken.mutable_ranks());
  const grpc::Status answer = Answer(core_, core_->Heartbeat(taken), reply);
  if (answer.ok()) NoteRefused(taken.worker_id(), refused);
  return answer;
}

void ClusterService::NoteRefused(const std::string& worker_id, const RefusedStatuses& refused) {
  if (refused.count > 0) core_->metrics().StatusesRefused(refused.count);
  absl::MutexLock lock(&mu_);
  if (refused.count == 0) {
    refusals_.erase(worker_id);
    return;
  }
  std::string& logged = refusals_[worker_id];
  if (logged == refused.first.message()) return;
  logged = std::string(refused.first.message());
  spdlog::warn("statuses of ranks refused worker={} count={} first=\"{}\"", worker_id, refused.count, logged);
}

grpc::Status ClusterService::LeaveCluster(grpc::ServerContext*, const LeaveClusterRequest* request,
                                          LeaveClusterReply*) {
  LeaveClusterRequest taken = *request;
  const RefusedStatuses refused = TakeStatuses(taken.mutable_ranks());
  const grpc::Status answer = Answer(core_, core_->LeaveCluster(taken));
  if (answer.ok()) NoteRefused(taken.worker_id(), refused);
  return answer;
}

grpc::Status ClusterService::ReportSteps(grpc::ServerContext*, const ReportStepsRequest* request, ReportStepsReply*) {
  const absl::Status legal = CheckReport(*request);
  return Answer(core_, legal.ok() ? core_->ReportSteps(*request) : legal);
}

grpc::Status ClusterService::CommitCheckpoint(grpc::ServerContext*, const CommitCheckpointRequest* request,
                                              CommitCheckpointReply*) {
  const absl::Status legal = CheckManifest(request->manifest());
  return Answer(core_, legal.ok() ? core_->CommitCheckpoint(request->manifest()) : legal);
}

grpc::Status ClusterService::TeacherHeartbeat(grpc::ServerContext*, const TeacherHeartbeatRequest* request,
                                              TeacherHeartbeatReply*) {
  return Answer(core_, Hear(*request));
}

grpc::Status ClusterService::SendLogs(grpc::ServerContext*, const SendLogsRequest* request, SendLogsReply*) {
  const absl::Status legal = CheckLogs(*request);
  return Answer(core_, legal.ok() ? core_->SendLogs(*request) : legal);
}

}  // namespace mimeo
