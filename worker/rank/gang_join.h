// Lets a rank meet the others of its gang, by what its agent tells it. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "proto/coordinator.pb.h"
#include "worker/rank/rank_link.h"
#include "worker/training/gang.h"
#include "worker/training/ports.h"

namespace mimeo {

// Blocks until all ranks are there. `host` is the address on which this rank listens for the others. `agent` and
// `progress` outlive the gang. The errors are those of Gang::Join; DeadlineExceeded also means that rank 0 did not open
// the gang's store within an hour. `stop_wanted` and the agent's stop end the wait with Cancelled. While it waits, it
// counts each look as progress, so that the agent looks at the rank that is missing and not at this one. A rank that
// still waits for its data or a teacher prolongs the wait of the others (GangAssignment.gang_waits_for).
absl::StatusOr<std::unique_ptr<Gang>> JoinGang(const GangAssignment& assignment, const std::string& host,
                                               at::Device device, RankLink* agent, const StopWanted& stop_wanted,
                                               Progress* progress);

}  // namespace mimeo
