// On which workers gangs failed lately. The scheduler gives such workers new gangs last.
//
// There is one record for each pair of a job and a worker, which loses half of its weight every limits::kBlameHalfLife.
// So a bad job blames a worker only once, however often it fails there, and a bad worker is blamed by every job. The
// blame of a worker is the sum of its records: about the number of jobs that failed there.
//
// Nothing of this is in the journal. When the coordinator starts anew, the scheduler adds what the unfinished jobs
// remember themselves (JobInfo.failures), as if it had just happened. Too much blame does no harm but delay. All times
// are Now() of the clock. Pure; thread-compatible.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "proto/event.pb.h"

namespace mimeo {

// How long to wait after so many failures: limits::kRestartPause after the first, twice as long with each further one,
// and never longer than limits::kRestartPauseMax. `failures` is at least 1 and need not be a whole number.
absl::Duration RestartPause(double failures);

class Blame {
 public:
  struct Failure {
    absl::Time at;
    double weight = 0;  // at that time: 1 for a failed gang, which its workers share
    WorkerFailure what;
  };

  // Takes the place of an earlier record of the same job and worker. Of each worker the 16 newest are kept.
  void Add(const std::string& job_id, const WorkerFailure& failure, double weight, absl::Time now);
  void ForgetWorker(const std::string& worker_id) { by_worker_.erase(worker_id); }
  // For failures that turned out to be the job's own fault: no worker is to blame for them. Returns the workers that
  // were blamed.
  std::set<std::string> ForgetJob(const std::string& job_id);

  // The blame of a worker: 0 for none, and about 1 for each job that failed there just now.
  double Of(const std::string& worker_id, absl::Time now) const;
  // The newest record of a worker. Null when there is none. Valid until the next call that changes something.
  const Failure* Newest(const std::string& worker_id) const;
  // Until when the worker gets nothing new where other workers would do. The more jobs failed there, the later. The
  // infinite past when it is not blamed.
  absl::Time RestsUntil(const std::string& worker_id) const;
  // When the blame of the worker will have fallen to `weight`, if nothing else fails there. The infinite past when it
  // has fallen so far already.
  absl::Time FallsTo(double weight, const std::string& worker_id, absl::Time now) const;

  // With no more blame than this a worker is as good as one without any.
  static constexpr double kForgotten = 0.5;
  // More blame than this comes from several jobs: one alone can give 1.
  static constexpr double kSeveralJobs = 1.5;

 private:
  std::map<std::string, std::map<std::string, Failure>> by_worker_;  // worker -> job
};

}  // namespace mimeo
