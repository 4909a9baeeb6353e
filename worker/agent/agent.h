// A host's agent: it registers the worker with the coordinator, sends heartbeats, and supervises one rank process for
// each assignment of the coordinator.
//
// The coordinator's reply names every rank that should run now, and worker/agent/rank_table.h decides what follows from
// it. While the coordinator is away, nothing is stopped. The ranks speak to the agent over a Unix socket in `dir`, and
// die with it. Any thread may call it. It has two threads of its own: one sends heartbeats, and one starts, watches and
// reaps processes.
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
  // The place of start files, logs and the socket. One agent at a time may use it.
  std::string dir;
  std::string rank_binary;  // its subcommand `rank` is a rank process
  absl::Duration heartbeat_period = limits::kHeartbeatPeriod;
  // What the owner of this host means to grant to Leave. A rank that needs longer for its step and its checkpoint is
  // named in a warning.
  absl::Duration stop_grace = absl::Seconds(25);
  RankTableOptions ranks;  // `slots` is taken from the identity
};

class WorkerAgent {
 public:
  // Returns without waiting for the coordinator. `metrics` outlives the agent. FailedPrecondition: another agent uses
  // `dir`. PermissionDenied: `dir` cannot be written. Unavailable: the socket cannot be bound.
  static absl::StatusOr<std::unique_ptr<WorkerAgent>> Start(const AgentOptions& options, Metrics* metrics);

  // Kills the ranks and waits for their ends, except for a process that SIGKILL does not end.
  virtual ~WorkerAgent() = default;

  // Leaves in good order. It tells the coordinator at once that the worker leaves, has the ranks take a checkpoint and
  // end, kills those that have not ended after `grace`, and says goodbye, so that nothing waits for this worker. It
  // returns at once, and left() says when all of that is done: a few seconds after the grace at the latest, because a
  // coordinator that is away is not waited for any longer. A second call may shorten the grace.
  virtual void Leave(absl::Duration grace) = 0;
  virtual bool left() const = 0;

  // The ranks as the next heartbeat would report them.
  virtual std::vector<RankStatus> Ranks() const = 0;
  // Not OK: the agent is of no use any more, and its owner should end it. FailedPrecondition: a newer agent has taken
  // its worker id, or this build speaks another protocol version. InvalidArgument: the coordinator refuses its
  // identity.
  virtual absl::Status status() const = 0;
};

}  // namespace mimeo
