// A host's agent: registers the worker, heartbeats, and supervises one rank process per assignment of the coordinator.
//
// The coordinator's reply names every rank that should run now (worker/agent/rank_table.h decides what that means);
// while the coordinator is away nothing is stopped. The ranks speak to the agent over a Unix socket in `dir`, and die
// with it. Thread-safe. Two threads of its own: one heartbeats, one starts, watches and reaps processes.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/limits.h"
#include "base/metrics_server.h"
#include "base/rpc/channel_options.h"
#include "proto/event.pb.h"
#include "worker/agent/rank_table.h"

namespace mimeo {

struct AgentOptions {
  std::string coordinator_address;
  ChannelOptions channels;
  WorkerIdentity identity;  // all but the incarnation, which each Start makes anew
  std::string dir;          // start files, logs and the socket; one agent at a time
  std::string rank_binary;  // whose subcommand `rank` is a rank process
  absl::Duration heartbeat_period = limits::kHeartbeatPeriod;
  // A warning says of a rank that it needs longer for its last checkpoint.
  absl::Duration stop_grace = absl::Seconds(25);
  RankTableOptions ranks;  // `slots` is taken from the identity
};

class WorkerAgent {
 public:
  // Does not wait for the coordinator. `metrics` outlives the agent.
  // FailedPrecondition: another agent uses `dir`. Unavailable: the socket cannot be bound.
  static absl::StatusOr<std::unique_ptr<WorkerAgent>> Start(const AgentOptions& options, Metrics* metrics);

  // Kills the ranks and waits for them.
  virtual ~WorkerAgent() = default;

  // Stops well: tells the coordinator at once that the worker leaves, has the ranks take a checkpoint and end, kills
  // those that have not after `grace`, and says goodbye, so that nothing waits for this worker. Returns at once; left()
  // says when it is done, a few seconds after the grace at the latest. A coordinator that is away is not waited for
  // longer. A second call may shorten the grace.
  virtual void Leave(absl::Duration grace) = 0;
  virtual bool left() const = 0;

  // As the next heartbeat would say it.
  virtual std::vector<RankStatus> Ranks() const = 0;
  // Not OK: the agent is of no use any more and should be ended. FailedPrecondition: a newer agent has taken its worker
  // id. InvalidArgument: the coordinator refuses its identity.
  virtual absl::Status status() const = 0;
};

}  // namespace mimeo
