// The coordinator's numbers for Prometheus. It is the only part of the coordinator that knows the names of metrics
// (base/metric_catalog.h says what each one means). Nothing here fails or waits for the disk or the network.
// Thread-safe.
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
  // `metrics` must outlive this object.
  explicit CoordinatorMetrics(Metrics* metrics) : metrics_(metrics) {}

  struct Counts {
    std::map<std::string, int> jobs;  // by the name of the state, with an entry for every state
    int workers = 0;                  // registered
    int workers_silent = 0;           // those of them whose lease has expired
    int64_t slots = 0;
    int slots_busy = 0;
    int teachers = 0;
  };
  void State(const Counts& counts);
  // One event is committed, and it took so long. `journal_events` is the size of the journal after it.
  void Committed(absl::Duration took, int64_t journal_events);
  void GangPlaced();
  void GangFailed();
  void CheckpointCommitted();
  void ChunkReceived(int64_t bytes);
  void StoreBytes(int64_t bytes);
  // An operation of the store returned an error, such as a full disk.
  void StoreFailed();
  // A request of an older generation was refused.
  void Fenced();
  void HeartbeatAnswered();
  void RpcFailed();
  void StatusesRefused(int count);

  void JobStep(const std::string& job_id, int64_t step);
  // Shows the newest value of each loss and each statistic. `steps` are ascending, and a step need not have all of
  // them.
  void StepsReported(const std::string& job_id, const std::vector<StepMetrics>& steps);
  // Prometheus must still see the last numbers of a job that has ended, so they are shown until twenty others have
  // ended after it. Then they are deleted, so that a coordinator does not serve every job that it ever had.
  void JobEnded(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_);
  // A job that had ended was resumed. Its numbers stay.
  void JobGoesOn(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_);
  // Deletes the numbers of a job at once.
  void JobDeleted(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Metrics* const metrics_;
  absl::Mutex mu_;
  std::deque<std::string> ended_ ABSL_GUARDED_BY(mu_);
};

}  // namespace mimeo
