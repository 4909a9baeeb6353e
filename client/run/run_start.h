// Decides how `mimeo run` begins when its folder may hold an earlier session of the same job. Pure.
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
    kExtend,  // the folder's newest job has ended well, and goes on with the plan's longer schedule
    kDone,    // the folder's newest job has ended well: there is nothing to train
  };
  Kind kind = kSubmit;
  std::string note;  // a sentence that says so to the person, or empty
};

// `newest` is the newest job that the coordinator of the folder knows, or null. A job that was stopped by a crash, a
// Ctrl-C, a pause or a failure goes on from its newest checkpoint, because a person may have removed the cause. A job
// begins anew only when it was cancelled, or when it failed before its first checkpoint. A job that has
// succeeded is done, and goes on where the plan differs from it in its length alone. AlreadyExists: the folder holds
// another job than the plan's; the error names each field that differs.
absl::StatusOr<RunStart> DecideStart(const Job* newest, const RunPlan& plan);

// The coordinator's sentences about a job tell how to go on by `mimeo resume`, which needs a cluster that runs. Of a
// `mimeo run` the same command goes on, and they are made to say so.
void PutIntoWordsOfRun(Job* job);

}  // namespace mimeo
