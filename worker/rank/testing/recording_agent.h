// An Agent service that keeps what ranks report and answers as a test says. Thread-safe.
#pragma once

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "proto/agent.grpc.pb.h"

namespace mimeo::testing {

class RecordingAgent : public Agent::Service {
 public:
  grpc::Status ReportRank(grpc::ServerContext*, const ReportRankRequest* request, ReportRankReply* reply) override
      ABSL_LOCKS_EXCLUDED(mu_);

  // Every report from now on is refused with `status`; OK: taken again.
  void Answer(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  void Give(const GangAssignment& assignment) ABSL_LOCKS_EXCLUDED(mu_);  // with each answer from now on

  // The first report that `is`; fails the test when there is none soon.
  ReportRankRequest AwaitReport(const std::function<bool(const ReportRankRequest&)>& is) ABSL_LOCKS_EXCLUDED(mu_);
  bool AwaitReports(size_t count) ABSL_LOCKS_EXCLUDED(mu_);  // false: not so many soon

 private:
  absl::Mutex mu_;
  absl::Status answer_ ABSL_GUARDED_BY(mu_);
  GangAssignment assignment_ ABSL_GUARDED_BY(mu_);
  std::vector<ReportRankRequest> reports_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo::testing
