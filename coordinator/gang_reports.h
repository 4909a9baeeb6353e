// What the ranks of the running gangs said of themselves, and what follows from it. Volatile: never journalled; after a
// restart of the coordinator the heartbeats say it all again. Thread-compatible.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "coordinator/cluster_state.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

struct GangReport {
  int64_t generation = 0;
  std::map<int, RankStatus> ranks;  // newest heard, by rank
  int64_t step = 0;                 // newest heard, of a rank or of a metrics report
  bool told_to_stop = false;        // sticky: ranks that stop must not be joined by ranks that go on
};

class GangReports {
 public:
  // The report of the job's newest generation; what was heard of earlier ones is dropped.
  GangReport& Of(const JobInfo& job);
  // Null when nothing was heard of that generation.
  const GangReport* Find(const JobInfo& job) const;

  // Takes `status` when it is of a rank that `worker_id` should run now. Whether it said anything new (speed apart).
  bool Hear(const JobInfo& job, const std::string& worker_id, const RankStatus& status);
  void HearStep(const JobInfo& job, int64_t generation, int64_t step);

 private:
  std::map<std::string, GangReport> by_job_;
};

// The events that the ranks' statuses call for, in order: DatasetPinned, or GangEnded when
//   a rank failed (for good when its code is InvalidArgument or FailedPrecondition, or its data is not the job's),
//   a rank stopped that was not told to, or
//   all have ended: COMPLETED when all completed, else STOPPED.
std::vector<Event> EventsOf(const JobInfo& job, const GangReport& gang);

bool HasEnded(RankPhase phase);

}  // namespace mimeo
