// One rank of one generation, from its assignment to its end. One thread (and those of its parts).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "base/rpc/channel_options.h"
#include "proto/coordinator.pb.h"
#include "worker/rank/rank_link.h"
#include "worker/training/trainer.h"

namespace mimeo {

struct RankOptions {
  std::string coordinator_address;
  ChannelOptions channels;
  std::string host = "127.0.0.1";  // the interface that the gang's other ranks reach
};

// Opens the data, builds the model, restores the checkpoint, joins the gang, trains. Statuses that no restart would
// mend are InvalidArgument and FailedPrecondition; they name the field, the file and the numbers. The process should
// end next: threads and connections of the run are left as they are. `progress`: of everything that it does, each
// operator of libtorch included.
absl::StatusOr<TrainEnd> RunAssignedRank(const GangAssignment& assignment, const RankOptions& options, RankLink* agent,
                                         Progress* progress);

}  // namespace mimeo
