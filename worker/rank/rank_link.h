// A rank process's link to its agent: says how it goes a few times a second, hears what is wanted. Thread-safe.
//
// The agent holds the coordinator's newest assignment; so a rank needs the agent alone to find its gang's store, its
// teachers' addresses and whether to stop. The agent's death kills the rank (PR_SET_PDEATHSIG), so there is no "agent
// is away".
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

  // Changes the status that is reported next (at once when the phase, the store's address or the list of teachers
  // changes). A changed step counts as progress, too.
  virtual void Update(const std::function<void(RankStatus*)>& change) = 0;
  // For the agent's /metrics, under the name's catalogue entry.
  virtual void SetMetric(const std::string& name, double value) = 0;

  // The newest assignment that the agent gave.
  virtual GangAssignment assignment() const = 0;
  // Waits until `ready` holds for the newest assignment. DeadlineExceeded. Cancelled: told to stop meanwhile.
  virtual absl::StatusOr<GangAssignment> Await(const std::function<bool(const GangAssignment&)>& ready,
                                               absl::Time deadline) = 0;

  // Reports `phase` with `error` and waits until the agent has it; the process exits next.
  virtual void Finish(RankPhase phase, const absl::Status& error) = 0;

  // `agent_address`: "unix:/path". `start`: what the start file said. `progress`, which outlives the link, goes into
  // every report: a thread of the link's own makes them, so a rank that stands still says so.
  static absl::StatusOr<std::unique_ptr<RankLink>> Connect(const ChannelOptions& channels,
                                                           const std::string& agent_address,
                                                           const GangAssignment& start, const Progress* progress);
};

}  // namespace mimeo
