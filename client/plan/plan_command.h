// `mimeo plan`: says what a job costs before it is started.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/plan/job_plan.h"
#include "client/run/run_command.h"

namespace mimeo {

struct PlanFlags {
  RunFlags run;        // recipe, data, sets, workers, teachers, init and channels; the rest is not read
  std::string device;  // a GPU by its short name; empty: this machine or the cluster
  std::string server;  // HOST:PORT of the cluster that would train it; empty: none
  bool probe = true;   // train some steps here, where the job can be tried here
  absl::Duration budget = absl::Seconds(10);  // of the probe
};

// Reads the recipe, looks at the place, counts the images and probes. It blocks for as long as these take. Call
// BlockStopSignals (base/process.h) before. InvalidArgument: every mistake of the recipe and the flags, as `mimeo run`
// names them. Unavailable: nobody answers at `server`. Cancelled: Ctrl-C.
absl::StatusOr<JobPlan> PlanJob(const PlanFlags& flags);

// Prints the plan and returns the exit code (client/exit_code.h): kFailed where the job does not fit. Blocks SIGTERM
// and SIGINT for the rest of the process.
int PlanCommandMain(const PlanFlags& flags);

}  // namespace mimeo
