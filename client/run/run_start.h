// Decides how `mimeo run` begins, from what its folder holds. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/run/run_plan.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

struct RunStart {
  enum Kind {
    kSubmit,  // a new job
    kFollow,  // the folder's newest job runs, and is followed
    kResume,  // the folder's newest job goes on from its newest checkpoint, or from the beginning
  };
  Kind kind = kSubmit;
  std::string note;  // a sentence for the person, or empty
};

// `newest` is the folder's newest job, or null. A job that was ended by a crash, a Ctrl-C, a pause or a failure goes on
// from where it was, because the cause of the failure may have been removed. A job begins anew only when it was
// cancelled, or when it failed before its first checkpoint. AlreadyExists: the folder holds another job than the
// plan's.
absl::StatusOr<RunStart> DecideStart(const Job* newest, const RunPlan& plan);

}  // namespace mimeo
