// What should happen now, and why. Pure and idempotent: deciding twice decides the same.
//
// Invariant: silence never stops a gang. It only permits a replacement elsewhere, and a fenced generation cannot commit.
//
// The queue is strict: higher priority first, first come first served within one, and while a job waits for slots nothing
// behind it is placed, even if it would fit; so a large gang cannot starve. Two kinds of waiting hold nobody up, because
// slots would not end them: for a teacher, and for workers that are not there (a gang that would not fit on the workers
// heard of even if all of them were idle).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/limits.h"
#include "coordinator/cluster_state.h"

namespace mimeo {

// Who was heard when. Volatile: never journalled, reset when the coordinator recovers, so its absence makes nobody look dead.
struct Liveness {
  std::map<std::string, absl::Time> worker_heard;
  std::map<std::string, absl::Time> teacher_heard;
  absl::Time since;  // when this coordinator began to listen: nobody was silent longer than that
};

struct SchedulerOptions {
  absl::Duration lease = limits::kLease;
  // A worker without ranks, or a teacher that no unfinished job needs, is forgotten after this many silent leases.
  int forget_after_leases = 10;
};

struct Decision {
  std::vector<Event> events;                  // to be committed in order, each legal after those before it
  std::map<std::string, std::string> reasons; // by unfinished job: why it is where it is
};

// One round. Some decisions follow from others (a gang ends, then its job fails): callers decide again until no events come.
Decision Decide(const ClusterState& state, const Liveness& liveness, absl::Time now, const SchedulerOptions& options);

// For people: why `job_id` is not running (or is), most important first, with numbers. Empty when there is no such job.
std::vector<std::string> Explain(const ClusterState& state, const Liveness& liveness, absl::Time now,
                                 const SchedulerOptions& options, const std::string& job_id);

// How long nothing was heard of it, as far as this coordinator can know.
absl::Duration SilentFor(const std::map<std::string, absl::Time>& heard, const std::string& name, absl::Time since,
                         absl::Time now);

}  // namespace mimeo
