// What `mimeo run` is going to do, from its flags: everything is read and checked before anything starts.
// Thread-compatible.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/run/local_cluster.h"
#include "client/run/run_command.h"
#include "proto/job.pb.h"

namespace mimeo {

struct RunPlan {
  std::string out;   // absolute
  JobSpec spec;      // resolved; paths are absolute, for workers have another working directory
  std::string text;  // of the spec
  LocalClusterOptions cluster;
};

// InvalidArgument: every problem of recipe, --set, paths and teachers at once, one a line. AlreadyExists: OUT holds
// another job.
absl::StatusOr<RunPlan> MakeRunPlan(const RunFlags& flags, int cores);

}  // namespace mimeo
