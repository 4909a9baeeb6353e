// Which workers failed gangs lately: a record of each (job, worker) that loses half its weight every
// limits::kBlameHalfLife. So one bad job blames a worker once, however often it is tried there, and a bad worker is
// blamed by every job. Pure; thread-compatible.
//
// Volatile, by the monotonic clock: never journalled. When the coordinator recovers it begins with what the unfinished
// jobs themselves remember (JobInfo.failures), as if that had just happened: too much blame only delays.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "proto/event.pb.h"

namespace mimeo {

// limits::kRestartPause, doubled with each failure after the first, up to limits::kRestartPauseMax.
absl::Duration RestartPause(double failures);

class Blame {
 public:
  struct Failure {
    absl::Time at;
    double weight = 0;  // at that time; the workers of one failed gang share 1
    WorkerFailure what;
  };

  void Add(const std::string& job_id, const WorkerFailure& failure, double weight, absl::Time now);
  void ForgetWorker(const std::string& worker_id) { by_worker_.erase(worker_id); }
  // The failures were the job's own: no worker is to blame. The workers that were blamed.
  std::set<std::string> ForgetJob(const std::string& job_id);

  // Gangs of different jobs that failed for it; less, the longer ago.
  double Of(const std::string& worker_id, absl::Time now) const;
  // Null when nothing failed there that is remembered.
  const Failure* Newest(const std::string& worker_id) const;
  // Until when it is left alone if others would do: longer, the more jobs failed there. The past when it is not blamed.
  absl::Time RestsUntil(const std::string& worker_id) const;
  // When the weight of now will have fallen to `weight`; the infinite past when it has.
  absl::Time FallsTo(double weight, const std::string& worker_id, absl::Time now) const;

  static constexpr double kForgotten = 0.5;
  static constexpr double kSeveralJobs = 1.5;  // more than one job alone can give

 private:
  std::map<std::string, std::map<std::string, Failure>> by_worker_;  // worker -> job
};

}  // namespace mimeo
