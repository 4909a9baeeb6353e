// The coordinator's numbers for Prometheus: the one place that knows their names (base/metric_catalog). Thread-safe.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/metrics_server.h"
#include "proto/metrics.pb.h"

namespace mimeo {

class CoordinatorMetrics {
 public:
  explicit CoordinatorMetrics(Metrics* metrics) : metrics_(metrics) {}  // `metrics` outlives it

  struct Counts {
    std::map<std::string, int> jobs;  // by state, lower case: every state is a key
    int workers = 0;
    int workers_silent = 0;
    int slots = 0;
    int slots_busy = 0;
    int teachers = 0;
  };
  void State(const Counts& counts);
  void Committed(absl::Duration took, int64_t journal_events);
  void GangPlaced();
  void GangFailed();
  void CheckpointCommitted();
  void ChunkReceived(int64_t bytes);
  void StoreBytes(int64_t bytes);
  void StoreFailed();
  void Fenced();
  void HeartbeatAnswered();
  void RpcFailed();
  void StatusesRefused(int count);

  void JobStep(const std::string& job_id, int64_t step);
  // In order of steps; not each need have all of a job's stats.
  void StepsReported(const std::string& job_id, const std::vector<StepMetrics>& steps);
  // A job that is final stays visible to the next scrapes, until twenty others have ended after it.
  void JobEnded(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_);
  // A job that had failed was resumed, say.
  void JobGoesOn(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_);
  // Nothing of it is shown any more.
  void JobDeleted(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Metrics* const metrics_;
  absl::Mutex mu_;
  std::deque<std::string> ended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
