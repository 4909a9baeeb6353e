// One rank of one generation, from its assignment to its end. One thread, and those of its parts.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "base/rpc/channel_options.h"
#include "proto/coordinator.pb.h"
#include "worker/rank/rank_link.h"
#include "worker/training/trainer.h"

namespace mimeo {

// What a rank process is told beside its assignment.
struct RankOptions {
  std::string coordinator_address;
  ChannelOptions channels;
  std::string host = "127.0.0.1";  // the interface that the gang's other ranks reach
};

// Opens the data, connects to the teachers, builds the model, restores the checkpoint, joins the gang and trains. It
// blocks until the training ends or a stop is wanted.
//
// InvalidArgument and FailedPrecondition are errors that no restart would mend, and they name the field, the file and
// the numbers; after any other error another generation may succeed. The process should end next, because threads and
// connections of the run are left as they are. `progress` counts everything that the run does, down to operators of
// libtorch. `agent` and `progress` must live until the process ends.
absl::StatusOr<TrainEnd> RunAssignedRank(const GangAssignment& assignment, const RankOptions& options, RankLink* agent,
                                         Progress* progress);

}  // namespace mimeo
