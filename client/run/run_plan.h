// What `mimeo run` is going to do. The plan is made of the flags, and everything that a person can get wrong is read
// and checked here, before any process is started or any file is written. Thread-compatible.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/run/run_cluster.h"
#include "client/run/run_command.h"
#include "proto/job.pb.h"

namespace mimeo {

// What the plan is for.
enum class PlanFor {
  kRun,       // to run it now: every path and every teacher must be there, and the results must have a place
  kHere,      // to say what it would cost here: `out` is not looked at, and data and teachers may be missing
  kElsewhere  // to say what it would cost on other machines: paths are theirs, and not looked at either
};

struct RunPlan {
  std::string out;           // the folder of the results, as an absolute path
  bool has_data = true;      // false: neither recipe nor flags say where the images are; only where it is not for a run
  bool has_teachers = true;  // false: the weights of some teacher were not given; likewise
  // Resolved. Its paths are absolute, because the workers have another working directory.
  JobSpec spec;
  std::string text;  // JobSpecText of the spec: the job is the same one where this is the same
  RunClusterOptions cluster;
  bool judged = false;  // a verdict stands at its end (client/auto/judge_run.h)
  std::string decided;  // what was decided that no flag says, for the terminal; empty: nothing
};

// Makes the plan for a machine with so many cores. It reads the recipe and looks whether the paths exist, as far as
// `plan_for` says.
// InvalidArgument lists all problems of the recipe, of --set, of paths and of teachers at once, one in each line.
// AlreadyExists: the folder OUT holds the run of another job, which differs in more than its length; the error names
// each field with both values.
absl::StatusOr<RunPlan> MakeRunPlan(const RunFlags& flags, int cores, PlanFor plan_for = PlanFor::kRun);

}  // namespace mimeo
