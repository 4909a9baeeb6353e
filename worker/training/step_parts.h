// How a job takes its steps: its gradients are reduced over the gang, or, with resources.cuda_graph, a step is recorded
// and replayed. One thread.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"
#include "worker/training/gang.h"
#include "worker/training/model_parts.h"
#include "worker/training/step_recorder.h"
#include "worker/training/train_step.h"

namespace mimeo {

// Exactly one of the first two is set; the step uses it.
struct StepParts {
  std::unique_ptr<GradientReducer> reducer;  // null where steps are recorded
  std::unique_ptr<StepRecorder> recorder;    // null where they are not
  // It points to the other two, so it is declared last and destroyed first.
  std::unique_ptr<TrainStep> step;
};

// `model` and `gang` outlive the parts. FailedPrecondition: as in StepRecorder::Create, or steps are to be recorded in
// a gang of several ranks, whose reductions no graph holds. Aborted: libtorch threw.
absl::StatusOr<StepParts> MakeStepParts(const JobSpec& spec, const ModelParts& model, Gang* gang, at::Device device);

}  // namespace mimeo
