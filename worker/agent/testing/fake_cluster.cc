#include "worker/agent/testing/fake_cluster.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/clock.h"

namespace mimeo::testing {

std::string FakeCluster::address() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeCluster::Start() {
  auto server = RpcServer::Start(ChannelOptions(), address(), {this});
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  port_ = server_->port();
}

void FakeCluster::Assign(const std::vector<GangAssignment>& assignments) {
  absl::MutexLock lock(&mu_);
  assignments_ = assignments;
}

void FakeCluster::AnswerHeartbeatsWith(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  answer_ = status;
}

void FakeCluster::Forget() {
  absl::MutexLock lock(&mu_);
  knows_worker_ = false;
}

HeartbeatRequest FakeCluster::AwaitHeartbeat(const std::string& what,
                                             const std::function<bool(const HeartbeatRequest&)>& ready) {
  absl::MutexLock lock(&mu_);
  const auto holds = [this, &ready]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return ready(newest_); };
  const absl::Time deadline = Clock::Real()->Now() + absl::Seconds(20);
  EXPECT_TRUE(Clock::Real()->Await(&mu_, absl::Condition(&holds), deadline))
      << "no heartbeat shows: " << what << "; the newest is " << newest_.ShortDebugString();
  return newest_;
}

std::vector<WorkerIdentity> FakeCluster::registrations() const {
  absl::MutexLock lock(&mu_);
  return registrations_;
}

std::vector<LeaveClusterRequest> FakeCluster::goodbyes() const {
  absl::MutexLock lock(&mu_);
  return goodbyes_;
}

grpc::Status FakeCluster::LeaveCluster(grpc::ServerContext*, const LeaveClusterRequest* request, LeaveClusterReply*) {
  absl::MutexLock lock(&mu_);
  goodbyes_.push_back(*request);
  return grpc::Status::OK;
}

grpc::Status FakeCluster::RegisterWorker(grpc::ServerContext*, const RegisterWorkerRequest* request,
                                         RegisterWorkerReply*) {
  absl::MutexLock lock(&mu_);
  registrations_.push_back(request->worker());
  knows_worker_ = true;
  return grpc::Status::OK;
}

grpc::Status FakeCluster::Heartbeat(grpc::ServerContext*, const HeartbeatRequest* request, HeartbeatReply* reply) {
  absl::MutexLock lock(&mu_);
  if (!knows_worker_) return ToGrpc(absl::NotFoundError("register first"));
  if (!answer_.ok()) return ToGrpc(answer_);
  newest_ = *request;
  for (const GangAssignment& assignment : assignments_) {
    GangOrder* order = reply->add_gangs();
    *order->mutable_common() = assignment;
    order->mutable_common()->clear_rank();  // it is common to all ranks of the order
    order->add_ranks(assignment.rank());
  }
  return grpc::Status::OK;
}

}  // namespace mimeo::testing
