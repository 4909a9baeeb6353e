// What the ranks of the running gangs say of themselves in heartbeats, and which events follow from that. It is not in
// the journal: after a restart of the coordinator the next heartbeats say it all again. Thread-compatible: the lock of
// CoordinatorCore guards it. All times are Now() of the clock.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/cluster_state.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

// What is known of the newest generation of one job.
struct GangReport {
  int64_t generation = 0;
  std::map<int, RankStatus> ranks;  // by rank, the newest status of each
  int64_t step = 0;                 // the newest step that a rank or a report of metrics named
  // Whether the ranks are told to stop after a checkpoint. It is never taken back: ranks that stop must not meet ranks
  // that go on.
  bool told_to_stop = false;
  // The workers of the gang that leave or are drained. They are why it was told to stop, if no person wanted that.
  std::set<std::string> emptied;
  // Those of them that leave. However their ranks end, it is no failure.
  std::set<std::string> leaving;
  absl::Time failed_at = absl::InfiniteFuture();  // when the first failure of a rank was heard
  std::map<int, absl::Time> data_missed_at;       // by rank: since when it has waited for its data
  // The workers of the gang that do not see its data. They are why it was told to stop, if it was told to move.
  std::vector<WorkerFailure> moves_from;

  // Whether the gang has trained a step beyond the checkpoint from which it started.
  bool Advanced(const JobInfo& job) const { return step > job.resume_step; }
};

// Where ranks of a gang wait for data that their host does not see. Another host may see them, so the gang may move. A
// teacher that is away is missed on all hosts alike, so that is no such wait.
struct DataWait {
  absl::Time since = absl::InfiniteFuture();  // since when the rank has waited that has waited longest
  // The workers of such ranks, each with the words of one of them, at most limits::kFailuresNamed. Empty: no rank
  // waits.
  std::vector<WorkerFailure> workers;
};

class GangReports {
 public:
  // The report of the job's newest generation. It is made when there is none, and what was heard of earlier generations
  // is dropped.
  GangReport& Of(const JobInfo& job);
  // The same report, or null when nothing was heard of that generation.
  const GangReport* Find(const JobInfo& job) const;

  // Takes the status of a rank, if `worker_id` should run that rank of the newest generation now; any other status is
  // ignored. Returns whether it says anything new, apart from the numbers that change with every heartbeat.
  bool Hear(const JobInfo& job, const std::string& worker_id, const RankStatus& status, absl::Time now);
  // A report of metrics or a checkpoint names this step.
  void HearStep(const JobInfo& job, int64_t generation, int64_t step);
  void Forget(const std::string& job_id) { by_job_.erase(job_id); }

 private:
  std::map<std::string, GangReport> by_job_;
};

// The event that the statuses of the ranks call for, if any. The caller commits it and asks again. It is one of these:
//
//   DatasetPinned, when the job has no data pinned yet and a rank says what it found.
//   DataDescribed, when rank 0 says something new of what the data leave out.
//   GangEnded with FAILED, when a rank failed for a reason of its own. This includes a rank that sees other data than
//   the
//     job's, and one that stopped without being told to. Its worker is named. The failure is for good when its code is
//     InvalidArgument, because no host could run such a job. It needs a person when its code is FailedPrecondition and
//     the gang had trained a step.
//   GangEnded with FAILED too, when ranks failed only because they lost another rank, and that one did not say why
//   within
//     kLostPeerPatience of the first failure, or all ranks have ended.
//     On a worker that leaves no failure of a rank counts.
//   GangEnded with COMPLETED or STOPPED, when all ranks have ended and none failed. It is COMPLETED when all completed.
//   A
//     gang that was told to move names the workers that did not see the data.
std::vector<Event> EventsOf(const JobInfo& job, const GangReport& gang, absl::Time now);
// Whoever loses a peer fails at once and says only that. The lost rank knows the reason, so it gets this time to say
// it.

constexpr absl::Duration kLostPeerPatience = absl::Seconds(3);

DataWait DataWaitOf(const JobInfo& job, const GangReport& gang);

// What ranks of a running gang do or wait for, in words for people. Those that stand still come first, and of a large
// gang only a few ranks are named.
std::vector<std::string> RankReasons(const GangReport& gang);

bool HasEnded(RankPhase phase);

}  // namespace mimeo
