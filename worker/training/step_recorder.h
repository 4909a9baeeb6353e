// A training step recorded once, as a CUDA graph, and replayed on new inputs: the host launches one graph in place of a
// thousand kernels (pytorch.org/docs, "CUDA semantics", whole-network capture). On a CPU nothing is recorded, and to
// replay is to call again what was given first, on the same tensors: so all but the capture itself is tried without a
// GPU. One thread, on an OwnStream (side_stream.h).
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
  // A step on these micro-batches. What else it reads keeps its place in memory, and the host's numbers in it keep
  // their values: they are recorded with it (job/checks.cc refuses jobs whose do not).
  using Step = std::function<void(absl::Span<const ForwardPass> micro_batches)>;

  // FailedPrecondition: `device` is a GPU and there is no libmimeo_cuda.so.
  static absl::StatusOr<std::unique_ptr<StepRecorder>> Create(at::Device device);
  ~StepRecorder();

  // Calls `step` the first few times, in which libraries make what they keep; then records it, and from then on replays
  // that first one, whatever `step` is. The tensors that it makes are overwritten by the next replay. May throw.
  void Run(absl::Span<const ForwardPass> micro_batches, const Step& step);

 private:
  explicit StepRecorder(std::unique_ptr<CudaGraph> graph);
  void Record(absl::Span<const ForwardPass> micro_batches, const Step& step);
  void TakeInputs(absl::Span<const ForwardPass> micro_batches);

  const std::unique_ptr<CudaGraph> graph_;  // null on a CPU
  int steps_ = 0;
  Step recorded_;                    // empty until then
  std::vector<ForwardPass> inputs_;  // what it reads
};

}  // namespace mimeo
