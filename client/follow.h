// Follows a job to its end, as `run`, `submit --follow` and `watch` do.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/progress.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

struct Followed {
  Job job;
  std::vector<StepMetrics> steps;             // by step, each once
  std::vector<EvaluationResult> evaluations;  // by step
};

// The functions are called a few times a second by the thread that follows, and while the coordinator is away too.
struct FollowOptions {
  std::function<bool()> interrupted = [] { return false; };               // true: the job is asked to pause, once
  std::function<absl::Status()> check = [] { return absl::OkStatus(); };  // not OK: following ends with it
  absl::Duration patience = absl::Minutes(1);  // with a coordinator that has answered once and does no more
};

// Until the job is final or paused, by a person or because a person must mend something. NotFound: no such job.
// Unavailable: nobody answers, or nobody has for `patience`.
absl::StatusOr<Followed> FollowJob(const std::shared_ptr<grpc::Channel>& channel, const std::string& job_id,
                                   Progress* progress, const FollowOptions& options);

}  // namespace mimeo
