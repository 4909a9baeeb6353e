#include "worker/agent/coordinator_session.h"

#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "google/protobuf/descriptor.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

constexpr absl::Duration kHurry = absl::Milliseconds(1500);

absl::Duration Timeout(bool leaving) { return leaving ? kHurry : limits::kRpcDeadline; }

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

RankStatus Encodable(const RankStatus& rank) {
  std::string bytes;
  RankStatus read;
  if (rank.SerializeToString(&bytes) && read.ParseFromString(bytes)) return rank;
  RankStatus kept = rank;
  const google::protobuf::Reflection& fields = *RankStatus::GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> set;
  fields.ListFields(rank, &set);
  for (const auto* field : set) {
    using Field = google::protobuf::FieldDescriptor;
    const bool odd_text =
        field->type() == Field::TYPE_STRING && !field->is_repeated() && !IsUtf8(fields.GetString(rank, field));
    if (odd_text || (field->type() == Field::TYPE_MESSAGE && field->is_repeated())) fields.ClearField(&kept, field);
  }
  kept.set_message("it said what is no text and could not be sent; see its log on its worker");
  return kept;
}

CoordinatorSession::CoordinatorSession(const ChannelOptions& channels, const std::string& coordinator_address,
                                       const WorkerIdentity& identity)
    : identity_(identity), stub_(Cluster::NewStub(OpenChannel(channels, coordinator_address))) {}

absl::StatusOr<Orders> CoordinatorSession::Beat(const std::vector<RankStatus>& ranks, bool leaving) {
  if (!registered_) RETURN_IF_ERROR(Register(Timeout(leaving)));
  HeartbeatReply reply;
  absl::Status status = Heartbeat(ranks, leaving, &reply);
  if (absl::IsNotFound(status)) {  // the coordinator forgot us; our ranks run on
    registered_ = false;
    RETURN_IF_ERROR(Register(Timeout(leaving)));
    status = Heartbeat(ranks, leaving, &reply);
  }
  RETURN_IF_ERROR(status);
  return Orders{Assignments(reply), {reply.logs().begin(), reply.logs().end()}};
}

absl::Status CoordinatorSession::SendLogs(const std::vector<LogPiece>& pieces) {
  SendLogsRequest request;
  request.set_worker_id(identity_.id());
  request.set_incarnation(identity_.incarnation());
  for (const LogPiece& piece : pieces) *request.add_pieces() = piece;
  SendLogsReply reply;
  return Call(kHurry, [&](grpc::ClientContext* context) { return stub_->SendLogs(context, request, &reply); });
}

absl::Status CoordinatorSession::Register(absl::Duration timeout) {
  RegisterWorkerRequest request;
  *request.mutable_worker() = identity_;
  RegisterWorkerReply reply;
  RETURN_IF_ERROR(
      Call(timeout, [&](grpc::ClientContext* context) { return stub_->RegisterWorker(context, request, &reply); }));
  registered_ = true;
  spdlog::info("registered worker={} slots={} incarnation={}", identity_.id(), identity_.slots(),
               identity_.incarnation());
  return absl::OkStatus();
}

absl::Status CoordinatorSession::Heartbeat(const std::vector<RankStatus>& ranks, bool leaving, HeartbeatReply* reply) {
  HeartbeatRequest request;
  request.set_worker_id(identity_.id());
  request.set_incarnation(identity_.incarnation());
  request.set_leaving(leaving);
  for (const RankStatus& rank : ranks) *request.add_ranks() = Encodable(rank);
  return Call(Timeout(leaving),
              [&](grpc::ClientContext* context) { return stub_->Heartbeat(context, request, reply); });
}

absl::Status CoordinatorSession::LeaveCluster(const std::vector<RankStatus>& ranks) {
  if (!registered_) return absl::OkStatus();
  LeaveClusterRequest request;
  request.set_worker_id(identity_.id());
  request.set_incarnation(identity_.incarnation());
  for (const RankStatus& rank : ranks) *request.add_ranks() = Encodable(rank);
  LeaveClusterReply reply;
  return Call(kHurry, [&](grpc::ClientContext* context) { return stub_->LeaveCluster(context, request, &reply); });
}

absl::Status CoordinatorSession::Call(absl::Duration timeout,
                                      const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  return call_.Run(timeout, CancellableCall::WhenAway::kWait,
                   [&](grpc::ClientContext* context) { return FromGrpc(call(context)); });
}

}  // namespace mimeo
