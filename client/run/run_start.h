// How `mimeo run` begins, from what its folder holds. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/run/run_plan.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

struct RunStart {
  enum Kind {
    kSubmit,  // a new job
    kFollow,  // the folder's newest job as it is
    kResume,  // it goes on from its newest checkpoint, or from the beginning
  };
  Kind kind = kSubmit;
  std::string note;  // for the person; empty: nothing to say
};

// `newest`: the folder's newest job, or null. A job that a crash, a Ctrl-C, a pause or a failure has ended goes on,
// wherever it has come to: what made it fail may have been mended. It begins anew only when it had failed before its
// first checkpoint, or was cancelled. AlreadyExists: it is another job than the plan's.
absl::StatusOr<RunStart> DecideStart(const Job* newest, const RunPlan& plan);

}  // namespace mimeo
