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

struct RunPlan {
  std::string out;  // the folder of the results, as an absolute path
  // Resolved. Its paths are absolute, because the workers have another working directory.
  JobSpec spec;
  std::string text;  // JobSpecText of the spec: the job is the same one where this is the same
  RunClusterOptions cluster;
};

// Makes the plan for a machine with so many cores. It reads the recipe and looks whether the paths exist.
// InvalidArgument lists all problems of the recipe, of --set, of paths and of teachers at once, one in each line.
// AlreadyExists: the folder OUT holds the run of another job, which differs in more than its length; the error names
// each field with both values.
absl::StatusOr<RunPlan> MakeRunPlan(const RunFlags& flags, int cores);

}  // namespace mimeo
