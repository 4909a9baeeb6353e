// Prepares the next micro-batches while this one computes: loader, normalise, mask plan, teacher features, on a thread of its
// own, at most `limits::kBatchesPrefetched` steps ahead. One thread calls Next.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bounded_queue.h"
#include "base/clock.h"
#include "data/loader.h"
#include "objective/objective.h"
#include "worker/feature_source.h"

namespace mimeo {

struct PreparedBatch {
  std::vector<ViewInput> views;
  std::vector<int64_t> sample_ids;
  LoaderPosition next;          // as Batch::next
  absl::Duration teacher_time;  // how long the teachers took
};

// The views of a batch without features: pixels normalised by ImageNet's statistics, and a mask plan that is a function of each
// row's key, "mask" and the view's number.
std::vector<ViewInput> MakeViews(const Batch& batch, int num_patches, int num_visible, at::Device device);

class BatchPipeline {
 public:
  struct Options {
    int num_patches = 0;
    int num_visible = 0;
    at::Device device = at::kCPU;
    int64_t micro_batches_per_step = 1;
    // Polled while a teacher is away: true ends the pipeline with Cancelled.
    std::function<bool()> stop_wanted = [] { return false; };
  };
  // `loader` and `teachers` outlive the pipeline, which is the only one to use them.
  BatchPipeline(Loader* loader, std::vector<FeatureSource*> teachers, const Options& options);
  ~BatchPipeline();  // closes the loader

  // Errors are the loader's and the teachers'; after one, always the same.
  absl::StatusOr<PreparedBatch> Next() { return queue_.Pop(); }

 private:
  void Run();
  absl::StatusOr<PreparedBatch> Prepare();
  absl::Status AttachFeatures(const Batch& batch, std::vector<ViewInput>* views);

  Loader* const loader_;
  const std::vector<FeatureSource*> teachers_;
  const Options options_;
  Clock* const clock_ = Clock::Real();
  BoundedQueue<PreparedBatch> queue_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace mimeo
