// What should happen now, and why. Pure and idempotent: deciding twice decides the same.
//
// Invariant: silence never stops a gang. It only permits a replacement elsewhere, and a fenced generation cannot commit.
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
};

struct Decision {
  std::vector<Event> events;                  // to be committed in order
  std::map<std::string, std::string> reasons; // by job: why it is where it is
};

Decision Decide(const ClusterState& state, const Liveness& liveness, absl::Time now, const SchedulerOptions& options);

// For people: why `job_id` is not running (or is), most important first, with numbers.
std::vector<std::string> Explain(const ClusterState& state, const Liveness& liveness, absl::Time now,
                                 const SchedulerOptions& options, const std::string& job_id);

}  // namespace mimeo
