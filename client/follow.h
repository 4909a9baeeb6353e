// Follows a job to its end, as `run`, `submit --follow` and `watch` do.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/progress.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

struct Followed {
  Job job;
  std::vector<StepMetrics> steps;              // by step, each once
  std::vector<EvaluationResult> evaluations;   // by step
};

// Until the job is final or paused. Once `interrupted` says true (it is asked a few times a second, by this thread) the job is
// asked to pause, once. A coordinator that is away for less than a minute is waited for. NotFound; Unavailable.
absl::StatusOr<Followed> FollowJob(const std::shared_ptr<grpc::Channel>& channel, const std::string& job_id,
                                   Progress* progress, const std::function<bool()>& interrupted);

}  // namespace mimeo
