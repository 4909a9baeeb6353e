// How a rank meets the others of its gang: by what its agent tells it. One thread.
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

// `host`: the interface that the other ranks reach. `agent` and `progress` outlive the gang. Errors as Gang::Join, and
// DeadlineExceeded: rank 0 did not open the gang's store within an hour.
absl::StatusOr<std::unique_ptr<Gang>> JoinGang(const GangAssignment& assignment, const std::string& host,
                                               at::Device device, RankLink* agent, const StopWanted& stop_wanted,
                                               Progress* progress);

}  // namespace mimeo
