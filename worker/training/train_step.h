// One optimizer update: forward, backward with overlapped reduction, AdamW. One thread. What is around it (timing,
// reports, checkpoints) is in trainer.h.
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

// What a step is taken with. The same on all ranks.
struct StepSettings {
  double learning_rate = 0;
  double progress = 0;  // of training, in [0, 1]
  // Whether the result shall have FeatureStats (objective/feature_stats.h) of the first micro-batch.
  bool feature_stats = false;
  int64_t step = 0;  // its number, from 1: for people
};

// Means over this rank's rows and micro-batches; scalars on the device, so that asking costs nothing until somebody
// reads.
struct StepResult {
  at::Tensor loss;
  std::map<std::string, at::Tensor> terms;
  std::map<std::string, at::Tensor> stats;
  std::map<std::string, BatchMean> means;
  at::Tensor grad_norm;  // of the global batch's gradient, before clipping
  at::Tensor skipped;    // 1 where the gradient was not finite and nothing was applied, else 0
};

class TrainStep {
 public:
  struct Options {
    double max_grad_norm = 0;
    ModelAverage* average = nullptr;   // updated after the parameters; null: none
    StepRecorder* recorder = nullptr;  // takes the steps; null: each is launched anew
    // Whose progress hears of each micro-batch and of standing still for other ranks; null: nobody's.
    const Gang* gang = nullptr;
  };
  // Everything outlives the step. `reducer`: null for a gang of one whose steps are recorded; it would launch what no
  // graph holds.
  TrainStep(const Parameters* parameters, const Encoder* encoder, const ObjectiveSum* objectives,
            GradientReducer* reducer, AdamW* optimizer, const Options& options);

  // A backward pass over one image whose result is thrown away, after which every step uses the same gradient buckets.
  absl::Status Settle(const ForwardPass& views);

  // Each element: the views of one micro-batch, not encoded yet. Aborted: a member of the gang is gone, or libtorch
  // threw.
  absl::StatusOr<StepResult> Run(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings);

 private:
  // An update, and what FeatureStats are made of: it waits for a device, and no graph holds that.
  struct Update {
    StepResult result;
    std::vector<Encoding> encodings;  // of the first micro-batch, detached
  };
  ObjectiveSum::Result Forward(ForwardPass pass, std::vector<Encoding>* encodings) const;
  Update Compute(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings) const;
  void Backward(const at::Tensor& loss, bool reduces) const;
  StepResult RunOrThrow(absl::Span<const ForwardPass> micro_batches, const StepSettings& settings);

  const Parameters* const parameters_;
  const Encoder* const encoder_;
  const ObjectiveSum* const objectives_;
  GradientReducer* const reducer_;
  AdamW* const optimizer_;
  const Options options_;
  Update recorded_;  // where a recorded step leaves its outcome
};

}  // namespace mimeo
