// What `mimeo run` is going to do. It is made of the flags, and everything is read and checked before anything starts.
// Thread-compatible.
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
  std::string out;   // absolute
  JobSpec spec;      // resolved; paths are absolute, for workers have another working directory
  std::string text;  // of the spec
  RunClusterOptions cluster;
};

// InvalidArgument: all problems of the recipe, of --set, of paths and of teachers at once, one in each line.
// AlreadyExists: the folder OUT holds another job.
absl::StatusOr<RunPlan> MakeRunPlan(const RunFlags& flags, int cores);

}  // namespace mimeo
