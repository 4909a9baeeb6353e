// Requests of many streams -> batches for one compute thread. The thread takes what waits, up to max_images_of its
// grid, as soon as it is free: a lone request is never delayed, and under load batches fill up by themselves. A batch's
// requests wish the same (WishKey). Streams take turns, one request each, so a busy stream cannot starve another, nor
// can one wish another; within a stream answers keep the order of requests. Thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "base/metrics_server.h"
#include "teacher/feature_wish.h"
#include "teacher/teacher_frames.h"

namespace mimeo {

class Batcher {
 public:
  // The answer to each task, in order, as it travels (FeatureReply). The wishes of all tasks are equal. Called on the
  // compute thread only.
  using Compute = std::function<absl::StatusOr<std::vector<std::string>>(absl::Span<const FeatureTask> tasks)>;
  // Called once for each request that Submit took, on the compute thread (or in Stop); must not block.
  using Done = std::function<void(absl::StatusOr<std::string> answer)>;

  // `metrics` outlives this.
  Batcher(const FeatureGeometry& geometry, Compute compute, Metrics* metrics);
  ~Batcher();

  // Queues a request; never blocks. What waits is bounded by what Admission let in. `stream` tells streams apart.
  // Unavailable after Stop: `done` is not called then. REQUIRES: SizeOf took its header.
  absl::Status Submit(uint64_t stream, FeatureTask task, Done done) ABSL_LOCKS_EXCLUDED(mu_);

  // Finishes the running batch, answers what waits with Unavailable and ends the thread. Idempotent; one caller at a
  // time.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  int queued_images() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct QueuedRequest {
    FeatureTask task;
    WishKey wish;
    Done done;
  };

  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // The stream that follows `stream` in turn.
  std::map<uint64_t, std::deque<QueuedRequest>>::iterator After(uint64_t stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<QueuedRequest> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ShowQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ComputeBatch(std::vector<QueuedRequest> batch);

  const FeatureGeometry geometry_;
  const Compute compute_;
  Metrics* const metrics_;

  mutable absl::Mutex mu_;
  std::map<uint64_t, std::deque<QueuedRequest>> queues_ ABSL_GUARDED_BY(mu_);  // by stream; none is empty
  uint64_t last_stream_ ABSL_GUARDED_BY(mu_) = 0;                              // the next one has its turn
  int queued_images_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace mimeo
