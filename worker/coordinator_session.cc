#include "worker/coordinator_session.h"

#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

void PrepareCall(grpc::ClientContext* context) {
  SetDeadline(context, limits::kRpcDeadline);
  context->set_wait_for_ready(true);  // it goes out as soon as a coordinator that was away is back
}

// One for each rank, as the ranks themselves get them.
std::vector<GangAssignment> Assignments(const HeartbeatReply& reply) {
  std::vector<GangAssignment> assignments;
  for (const GangOrder& order : reply.gangs()) {
    for (const int rank : order.ranks()) {
      GangAssignment& assignment = assignments.emplace_back(order.common());
      assignment.set_rank(rank);
      if (rank == 0) assignment.clear_store_address();
    }
  }
  return assignments;
}

}  // namespace

CoordinatorSession::CoordinatorSession(const std::string& coordinator_address, const WorkerIdentity& identity)
    : identity_(identity), stub_(Cluster::NewStub(OpenChannel(coordinator_address))) {}

absl::StatusOr<std::vector<GangAssignment>> CoordinatorSession::Beat(const std::vector<RankStatus>& ranks) {
  if (!registered_) RETURN_IF_ERROR(Register());
  HeartbeatReply reply;
  absl::Status status = Heartbeat(ranks, &reply);
  if (absl::IsNotFound(status)) {  // the coordinator forgot us; our ranks run on
    registered_ = false;
    RETURN_IF_ERROR(Register());
    status = Heartbeat(ranks, &reply);
  }
  RETURN_IF_ERROR(status);
  return Assignments(reply);
}

absl::Status CoordinatorSession::Register() {
  RegisterWorkerRequest request;
  *request.mutable_worker() = identity_;
  RegisterWorkerReply reply;
  grpc::ClientContext context;
  PrepareCall(&context);
  if (!Enter(&context)) return absl::CancelledError("the agent stops");
  const absl::Status status = FromGrpc(stub_->RegisterWorker(&context, request, &reply));
  Leave();
  RETURN_IF_ERROR(status);
  registered_ = true;
  spdlog::info("registered worker={} slots={} incarnation={}", identity_.id(), identity_.slots(), identity_.incarnation());
  return absl::OkStatus();
}

absl::Status CoordinatorSession::Heartbeat(const std::vector<RankStatus>& ranks, HeartbeatReply* reply) {
  HeartbeatRequest request;
  request.set_worker_id(identity_.id());
  request.set_incarnation(identity_.incarnation());
  for (const RankStatus& rank : ranks) *request.add_ranks() = rank;
  grpc::ClientContext context;
  PrepareCall(&context);
  if (!Enter(&context)) return absl::CancelledError("the agent stops");
  const absl::Status status = FromGrpc(stub_->Heartbeat(&context, request, reply));
  Leave();
  return status;
}

bool CoordinatorSession::Enter(grpc::ClientContext* context) {
  absl::MutexLock lock(&mu_);
  if (cancelled_) return false;
  call_ = context;
  return true;
}

void CoordinatorSession::Leave() {
  absl::MutexLock lock(&mu_);
  call_ = nullptr;
}

void CoordinatorSession::Cancel() {
  absl::MutexLock lock(&mu_);
  cancelled_ = true;
  if (call_ != nullptr) call_->TryCancel();
}

}  // namespace mimeo
