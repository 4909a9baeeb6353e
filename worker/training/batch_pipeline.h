// Prepares the next micro-batches while this one computes: it loads, normalises, draws masks and asks the teachers, on
// a thread of its own, at most `limits::kBatchesPrefetched` steps ahead. One thread calls Next and NextStep.
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

// One micro-batch, ready to be encoded.
struct PreparedBatch {
  ForwardPass pass;  // without encodings
  std::vector<int64_t> sample_ids;
  std::vector<int64_t> bad_samples;  // as Batch::bad_samples
  bool complete = true;              // as Batch::complete; false: `pass` is empty
  LoaderPosition next;               // as Batch::next
  absl::Duration teacher_time;       // how long the teachers took
  DeviceMark ready;                  // passed once the tensors of `pass` are there
};

// All that a step trains on, and how long its caller stood still for it.
struct StepBatch {
  std::vector<ForwardPass> micro_batches;
  std::vector<int64_t> sample_ids;
  std::vector<int64_t> bad_samples;
  bool complete = true;  // false: some micro-batch has no pass
  LoaderPosition next;   // the next step's, where this step is complete
  absl::Duration data_wait;
  // The part of the caller's wait that teachers took, at most all of it; data_wait is the rest.
  absl::Duration teacher_wait;
};

// Whatever comes before the encoder happens here, in the order of the loader: so a teacher's answer, which may take
// longer than a step, is asked for while earlier steps still compute. The queue between the two threads is bounded, so
// the memory is too.
class BatchPipeline {
 public:
  struct Options {
    at::Device device = at::kCPU;      // where the tensors are wanted; on a GPU a stream of its own makes them
    const ViewMaker* views = nullptr;  // outlives the pipeline
    // The encoder's. Empty: nothing is dropped.
    std::vector<double> drop_path_rates;
    int64_t micro_batches_per_step = 1;
    // Polled while a teacher is away. True ends the pipeline with Cancelled.
    std::function<bool()> stop_wanted = [] { return false; };
  };
  // `loader` and `teachers` outlive the pipeline, and nobody else uses them meanwhile.
  BatchPipeline(Loader* loader, std::vector<FeatureSource*> teachers, const Options& options);
  ~BatchPipeline();  // closes the loader and joins the thread

  // Blocks for the next micro-batch. The errors are those of the loader and of the teachers; after one, each call
  // returns it again. The caller's stream waits for the tensors, but the caller does not.
  absl::StatusOr<PreparedBatch> Next();
  // Blocks for the next micro_batches_per_step of them.
  absl::StatusOr<StepBatch> NextStep();

 private:
  // The thread: it prepares until the loader or a teacher returns an error, and closes the queue with that error.
  void Run();
  absl::StatusOr<PreparedBatch> Prepare();
  // Asks each teacher in turn. The one that draws masks comes first (teacher/teacher_request.h).
  absl::Status AttachFeatures(const Batch& batch, std::vector<ViewInput>* views);

  Loader* const loader_;
  const std::vector<FeatureSource*> teachers_;
  const Options options_;
  Clock* const clock_ = Clock::Real();
  // On a GPU the work of this thread goes here, beside the training's stream.
  SideStream stream_;
  BoundedQueue<PreparedBatch> queue_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

}  // namespace mimeo
