// What the ranks of the running gangs said of themselves, and what follows from it. Volatile: never journalled; after a
// restart of the coordinator the heartbeats say it all again. Thread-compatible.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "coordinator/cluster_state.h"
#include "proto/coordinator.pb.h"

namespace mimeo {

struct GangReport {
  int64_t generation = 0;
  std::map<int, RankStatus> ranks;  // newest heard, by rank
  int64_t step = 0;                 // newest heard, of a rank or of a metrics report
  bool told_to_stop = false;        // sticky: ranks that stop must not be joined by ranks that go on
  std::set<std::string>
      emptied;  // those of its workers that leave or are drained: why it was told to stop, if no person asked
  std::set<std::string> leaving;                  // those of them that leave: what their ranks end with is no failure
  absl::Time failed_at = absl::InfiniteFuture();  // when the first rank's failure was heard
  std::map<int, absl::Time> data_missed_at;       // by rank: since when those that wait for their data have done so
  std::vector<WorkerFailure>
      moves_from;  // its workers that did not see the data: why it was told to stop, if nobody asked

  bool Advanced(const JobInfo& job) const { return step > job.resume_step; }
};

// Where ranks of a gang wait for their data, which another host may see. (For a teacher all hosts wait alike.)
struct DataWait {
  absl::Time since = absl::InfiniteFuture();  // of the rank that has waited longest
  std::vector<WorkerFailure>
      workers;  // in the words of a rank of each, at most limits::kFailuresNamed; empty: nobody waits
};

class GangReports {
 public:
  // The report of the job's newest generation; what was heard of earlier ones is dropped.
  GangReport& Of(const JobInfo& job);
  // Null when nothing was heard of that generation.
  const GangReport* Find(const JobInfo& job) const;

  // Takes `status` when it is of a rank that `worker_id` should run now. Whether it said anything new (speed and
  // progress apart).
  bool Hear(const JobInfo& job, const std::string& worker_id, const RankStatus& status, absl::Time now);
  void HearStep(const JobInfo& job, int64_t generation, int64_t step);
  void Forget(const std::string& job_id) { by_job_.erase(job_id); }

 private:
  std::map<std::string, GangReport> by_job_;
};

// The events that the ranks' statuses call for, in order: DatasetPinned, or GangEnded when
//   a rank failed by itself: for good when its code is InvalidArgument (no host could run the job), in need of a person
//   when it is
//     FailedPrecondition and the gang had got on; its worker is named. Or its data is not the job's, or it stopped and
//     was not told to;
//   ranks failed only because they lost another one, and whom they lost was not heard to say why within
//   kLostPeerPatience; or all have ended: COMPLETED when all completed, else STOPPED; that names the workers that did
//   not see the data, if the gang moves for
//     it. Of a worker that leaves, a rank that was cut off has ended too.
std::vector<Event> EventsOf(const JobInfo& job, const GangReport& gang, absl::Time now);

constexpr absl::Duration kLostPeerPatience = absl::Seconds(3);

DataWait DataWaitOf(const JobInfo& job, const GangReport& gang);

// What ranks of a running gang do or wait for, in words, the ones that stand still first; a few of them.
std::vector<std::string> RankReasons(const GangReport& gang);

bool HasEnded(RankPhase phase);

}  // namespace mimeo
