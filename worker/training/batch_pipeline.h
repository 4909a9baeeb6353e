// Prepares the next micro-batches while this one computes: loader, normalise, mask plan, teacher features, on a thread
// of its own, at most `limits::kBatchesPrefetched` steps ahead. One thread calls Next and NextStep.
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
#include "teacher/feature_source.h"
#include "worker/training/side_stream.h"
#include "worker/training/views.h"

namespace mimeo {

struct PreparedBatch {
  ForwardPass pass;  // without encodings
  std::vector<int64_t> sample_ids;
  std::vector<int64_t> bad_samples;  // as Batch::bad_samples
  bool complete = true;              // as Batch::complete: false: there is no pass
  LoaderPosition next;               // as Batch::next
  absl::Duration teacher_time;       // how long the teachers took
  DeviceMark ready;                  // passed when the tensors of `pass` are there
};

// All that a step trains on, and how long its caller stood still for it.
struct StepBatch {
  std::vector<ForwardPass> micro_batches;
  std::vector<int64_t> sample_ids;
  std::vector<int64_t> bad_samples;
  bool complete = true;  // false: of some micro-batch there is no pass
  LoaderPosition next;   // the next step's, where this one is complete
  absl::Duration data_wait;
  absl::Duration teacher_wait;  // of the whole wait at most what the teachers took
};

class BatchPipeline {
 public:
  struct Options {
    at::Device device = at::kCPU;      // the views', where the work is done on a stream of its own
    const ViewMaker* views = nullptr;  // outlives the pipeline
    std::vector<double> drop_path_rates;
    int64_t micro_batches_per_step = 1;
    // Polled while a teacher is away: true ends the pipeline with Cancelled.
    std::function<bool()> stop_wanted = [] { return false; };
  };
  // `loader` and `teachers` outlive the pipeline, which is the only one to use them.
  BatchPipeline(Loader* loader, std::vector<FeatureSource*> teachers, const Options& options);
  ~BatchPipeline();  // closes the loader

  // Errors are the loader's and the teachers'; after one, always the same. The caller's stream waits for the tensors,
  // not the caller.
  absl::StatusOr<PreparedBatch> Next();
  // The next micro_batches_per_step of them.
  absl::StatusOr<StepBatch> NextStep();

 private:
  void Run();
  absl::StatusOr<PreparedBatch> Prepare();
  absl::Status AttachFeatures(const Batch& batch, std::vector<ViewInput>* views);

  Loader* const loader_;
  const std::vector<FeatureSource*> teachers_;
  const Options options_;
  Clock* const clock_ = Clock::Real();
  SideStream stream_;
  BoundedQueue<PreparedBatch> queue_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace mimeo
