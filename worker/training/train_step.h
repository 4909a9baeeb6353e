// One optimizer update: the forward pass, the backward pass with the reduction in its shadow, and AdamW. One thread.
// What happens around it (timing, reports, checkpoints) is in trainer.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "model/encoder.h"
#include "objective/objective.h"
#include "worker/training/gang.h"
#include "worker/training/model_average.h"
#include "worker/training/optimizer.h"
#include "worker/training/step_recorder.h"

namespace mimeo {

// What a step is taken with. It is the same on all ranks.
struct StepSettings {
  double learning_rate = 0;
  double progress = 0;  // the part of the training that is done, in [0, 1]
  // Whether the result shall have FeatureStats (objective/feature_stats.h) of the first micro-batch.
  bool feature_stats = false;
  int64_t step = 0;  // its number, from 1; only people read it
};

// Means over this rank's rows and micro-batches. They are scalars on the device, so asking for them costs nothing until
// somebody reads them.
struct StepResult {
  at::Tensor loss;
  std::map<std::string, at::Tensor> terms;
  std::map<std::string, at::Tensor> stats;
  std::map<std::string, BatchMean> means;
  at::Tensor grad_norm;  // of the global batch's gradient, before clipping
  at::Tensor skipped;    // 1 where the gradient was not finite and nothing was applied, else 0
};

// What changes from step to step, such as the learning rate, comes in by Run.
class TrainStep {
 public:
  struct Options {
    double max_grad_norm = 0;
    Clipping clipping = CLIPPING_GLOBAL;
    ModelAverage* average = nullptr;   // updated after the parameters; null: none
    StepRecorder* recorder = nullptr;  // takes the steps; null: each step is launched anew
    // Its progress hears of each micro-batch, and of standing still for other ranks. Null: nobody hears.
    const Gang* gang = nullptr;
  };
  // Everything outlives the step. `reducer` is null for a gang of one whose steps are recorded, because it would launch
  // what no graph holds.
  TrainStep(const Parameters* parameters, const Encoder* encoder, const ObjectiveSum* objectives,
            GradientReducer* reducer, AdamW* optimizer, const Options& options);

  // A collective: a backward pass over `views` whose result is thrown away. After it every step uses the same gradient
  // buckets, so that equal steps have bit-equal sums (docs/determinism.md). Aborted: as in Run.
  absl::Status Settle(const ForwardPass& views);

  // A collective. Each element has the views of one micro-batch, which are not encoded yet. Where the gradient is not
  // finite, nothing is applied and `skipped` says so. On a GPU it may return before the device is done. Aborted: a
  // member of the gang is gone, or libtorch threw.
  absl::StatusOr<StepResult> Run(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings);

 private:
  // A step's result, and the encodings that FeatureStats are made of. Those are computed outside of the step, because
  // they wait for the device, which no graph can hold.
  struct Update {
    StepResult result;
    std::vector<Encoding> encodings;  // of the first micro-batch, detached
  };
  // Encodes one micro-batch and computes its loss. Where `encodings` is not null, it keeps the encodings there,
  // detached.
  ObjectiveSum::Result Forward(ForwardPass pass, std::vector<Encoding>* encodings) const;
  // The whole update, which is also what a recorder records.
  Update Compute(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings) const;
  // One backward pass. `reduces`: gradients are averaged over the ranks in it, as in the last micro-batch of a step.
  void Backward(const at::Tensor& loss, bool reduces) const;
  StepResult RunOrThrow(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings);

  const Parameters* const parameters_;
  const Encoder* const encoder_;
  const ObjectiveSum* const objectives_;
  GradientReducer* const reducer_;
  AdamW* const optimizer_;
  const Options options_;
  Update recorded_;  // where a recorded step leaves its result
};

}  // namespace mimeo
