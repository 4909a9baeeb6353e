#include "worker/rank/testing/recording_agent.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/clock.h"
#include "base/rpc/rpc.h"

namespace mimeo::testing {
namespace {

absl::Time Soon() { return Clock::Real()->Now() + absl::Seconds(20); }

}  // namespace

grpc::Status RecordingAgent::ReportRank(grpc::ServerContext*, const ReportRankRequest* request,
                                        ReportRankReply* reply) {
  absl::MutexLock lock(&mu_);
  if (!answer_.ok()) return ToGrpc(answer_);
  reports_.push_back(*request);
  *reply->mutable_assignment() = assignment_;
  return grpc::Status::OK;
}

void RecordingAgent::Answer(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  answer_ = status;
}

void RecordingAgent::Give(const GangAssignment& assignment) {
  absl::MutexLock lock(&mu_);
  assignment_ = assignment;
}

ReportRankRequest RecordingAgent::AwaitReport(const std::function<bool(const ReportRankRequest&)>& is) {
  absl::MutexLock lock(&mu_);
  const auto find = [&]()
                        ABSL_SHARED_LOCKS_REQUIRED(mu_) { return std::find_if(reports_.begin(), reports_.end(), is); };
  const auto holds = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return find() != reports_.end(); };
  EXPECT_TRUE(Clock::Real()->Await(&mu_, absl::Condition(&holds), Soon()));
  return find() == reports_.end() ? ReportRankRequest() : *find();
}

bool RecordingAgent::AwaitReports(size_t count) {
  absl::MutexLock lock(&mu_);
  const auto holds = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return reports_.size() >= count; };
  return Clock::Real()->Await(&mu_, absl::Condition(&holds), Soon());
}

}  // namespace mimeo::testing
