// Follows a job to its end, as `run`, `submit --follow` and `watch` do. It asks the coordinator for the job and its new
// metrics about three times a second, and shows them. It blocks the calling thread until the job is over, and uses no
// other thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/job_bar.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

// What was followed, complete: all steps and evaluations that the coordinator has when the job is over.
struct Followed {
  Job job;
  std::vector<StepMetrics> steps;             // by step, each once
  std::vector<EvaluationResult> evaluations;  // by step
};

// The functions are called a few times a second by the thread that follows, also while the coordinator is away.
struct FollowOptions {
  // Returns true when a person wants the job to pause. The coordinator is asked for that once.
  std::function<bool()> interrupted = [] { return false; };
  // When it returns an error, following ends with that error.
  std::function<absl::Status()> check = [] { return absl::OkStatus(); };
  // Gets the numbers as they come, in the order of their steps. Where a later generation has done a step again, that
  // one and all behind it come again.
  std::function<void(const std::vector<StepMetrics>&, const std::vector<EvaluationResult>&)> numbers =
      [](const auto&, const auto&) {};
  // May put the job's sentences into the words of the command that follows it, before anything is made of them.
  std::function<void(Job*)> reword = [](Job*) {};
  // How long a coordinator that has answered before may be away.
  absl::Duration patience = absl::Minutes(1);
};

// Follows the job until it has ended, or is paused by a person or because a person must mend something. A job that
// fails is no error here: its state says so. When the coordinator restarts meanwhile, following goes on.
//
// NotFound: there is no such job. Unavailable or DeadlineExceeded: nobody answers the first call, or nobody has
// answered for longer than `options.patience`. Other errors are those of `options.check` and of the calls. `bar` must
// outlive the call.
absl::StatusOr<Followed> FollowJob(const std::shared_ptr<grpc::Channel>& channel, const std::string& job_id,
                                   JobBar* bar, const FollowOptions& options);

}  // namespace mimeo
