// Makes the requests of many streams into batches for one compute thread. As soon as that thread is free, it takes what
// waits, up to max_images_of the grid. So a lone request is never delayed, and under load batches fill up by
// themselves. All requests of a batch wish the same (WishKey).
//
// Streams take turns with one request each, so neither a busy stream nor one wish can starve another. Within a stream,
// answers keep the order of requests. Any thread may call it.
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

// It also measures what a teacher does: images, seconds and the size of batches go to the metrics.
class Batcher {
 public:
  // Returns the answer to each task in order, as it travels (FeatureReply). The wishes of all tasks are equal. It is
  // called on the compute thread only. An error is the answer to every task.
  using Compute = std::function<absl::StatusOr<std::vector<std::string>>(absl::Span<const FeatureTask> tasks)>;
  // Called once for each request that Submit took, on the compute thread or in Stop. It must not block.
  using Done = std::function<void(absl::StatusOr<std::string> answer)>;

  // Starts the compute thread. `metrics` outlives this.
  Batcher(const FeatureGeometry& geometry, Compute compute, Metrics* metrics);
  ~Batcher();

  // Queues a request and never blocks. What waits is bounded, because Admission let it in. `stream` tells streams
  // apart. Unavailable: Stop was called, and `done` is not called then. REQUIRES: SizeOf took its header.
  absl::Status Submit(uint64_t stream, FeatureTask task, Done done) ABSL_LOCKS_EXCLUDED(mu_);

  // Blocks until the running batch is finished, answers what waits with Unavailable, and ends the thread. It may be
  // called again, by one caller at a time.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  // Images that wait and are not being computed.
  int queued_images() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // A request in a queue.
  struct QueuedRequest {
    FeatureTask task;
    WishKey wish;
    Done done;
  };

  // The compute thread.
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // The stream whose turn comes after that of `stream`.
  std::map<uint64_t, std::deque<QueuedRequest>>::iterator After(uint64_t stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes requests in turn as long as they fit. A request that does not fit ends the batch, because smaller ones that
  // overtook it would starve it.
  std::vector<QueuedRequest> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ShowQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ComputeBatch(std::vector<QueuedRequest> batch);

  const FeatureGeometry geometry_;
  const Compute compute_;
  Metrics* const metrics_;

  mutable absl::Mutex mu_;
  std::map<uint64_t, std::deque<QueuedRequest>> queues_ ABSL_GUARDED_BY(mu_);  // by stream; none is empty
  uint64_t last_stream_ ABSL_GUARDED_BY(mu_) = 0;                              // the stream after this one has its turn
  int queued_images_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t queued_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace mimeo
