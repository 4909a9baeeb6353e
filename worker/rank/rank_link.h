// A rank process's link to its agent: it says how the rank goes a few times a second, and hears what is wanted of it.
// Any thread may call it.
//
// The agent holds the coordinator's newest assignment, so a rank needs the agent alone to find its gang's store, its
// teachers' addresses and the word to stop. The agent's death kills the rank (PR_SET_PDEATHSIG), so there is no state
// "the agent is away".
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/progress.h"
#include "base/rpc/channel_options.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

class RankLink {
 public:
  virtual ~RankLink() = default;

  // Changes the status that is reported next, under a lock, so `change` must not block. When the phase, the store's
  // address or the list of teachers changes, the report follows at once. A changed step counts as progress too.
  virtual void Update(const std::function<void(RankStatus*)>& change) = 0;
  // Sets a number on the agent's /metrics. `name` is one of the catalogue's (base/metric_catalog.h).
  virtual void SetMetric(const std::string& name, double value) = 0;

  // The newest assignment that the agent gave. Does not block.
  virtual GangAssignment assignment() const = 0;
  // Blocks until `ready` holds for the newest assignment. DeadlineExceeded: it did not by `deadline`. Cancelled: the
  // agent told this rank to stop meanwhile.
  virtual absl::StatusOr<GangAssignment> Await(const std::function<bool(const GangAssignment&)>& ready,
                                               absl::Time deadline) = 0;

  // Reports `phase` with `error`, and blocks until the agent has it, at most for limits::kRpcDeadline. The process
  // exits next.
  virtual void Finish(RankPhase phase, const absl::Status& error) = 0;

  // `agent_address` is "unix:/path", and `start` is what the start file said. It makes the first report itself: an
  // error means that no such agent listens there or that it does not know this rank. `progress`, which outlives the
  // link, goes into every report. A thread of the link's own makes the reports, so a rank that stands still says that
  // too.
  static absl::StatusOr<std::unique_ptr<RankLink>> Connect(const ChannelOptions& channels,
                                                           const std::string& agent_address,
                                                           const GangAssignment& start, const Progress* progress);
};

}  // namespace mimeo
