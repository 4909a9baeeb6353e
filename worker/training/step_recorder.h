// A training step that is recorded once, as a CUDA graph, and replayed on new inputs: the host launches one graph in
// place of a thousand kernels (pytorch.org/docs, "CUDA semantics", whole-network capture). On a CPU nothing is
// recorded, and to replay means to call again what was given first, on the same tensors; so everything except the
// recording is tested without a GPU. One thread, on an OwnStream (side_stream.h).
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "objective/objective.h"

namespace mimeo {

class CudaGraph;

class StepRecorder {
 public:
  // Takes a step on these micro-batches. What else it reads must keep its place in memory, and numbers that it reads on
  // the host keep the values that they had when it was recorded (job/checks.cc refuses jobs in which they would
  // change).
  using Step = std::function<void(absl::Span<const ForwardPass> micro_batches)>;

  // FailedPrecondition: `device` is a GPU and libmimeo_cuda.so cannot be loaded.
  static absl::StatusOr<std::unique_ptr<StepRecorder>> Create(at::Device device);
  ~StepRecorder();

  // Calls `step` for the first three times, in which libraries make what they keep. Then it records the step, and from
  // then on it replays that recording, whatever `step` is. The tensors that a step makes are overwritten by the next
  // replay. It throws where a step cannot be recorded, or where inputs have other shapes than the recorded ones.
  void Run(absl::Span<const ForwardPass> micro_batches, const Step& step);

 private:
  explicit StepRecorder(std::unique_ptr<CudaGraph> graph);
  void Record(absl::Span<const ForwardPass> micro_batches, const Step& step);
  void TakeInputs(absl::Span<const ForwardPass> micro_batches);

  const std::unique_ptr<CudaGraph> graph_;  // null on a CPU
  int steps_ = 0;
  Step recorded_;                    // empty until a step is recorded
  std::vector<ForwardPass> inputs_;  // the tensors that the recorded step reads
};

}  // namespace mimeo
