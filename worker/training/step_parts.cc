#include "worker/training/step_parts.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "model/catch_torch.h"

namespace mimeo {

absl::StatusOr<StepParts> MakeStepParts(const JobSpec& spec, const ModelParts& model, Gang* gang, at::Device device) {
  StepParts parts;
  if (spec.resources().cuda_graph()) {
    if (gang->size() > 1) {
      return absl::FailedPreconditionError(absl::StrCat("resources.cuda_graph: is for a gang of one; this one has ",
                                                        gang->size(), " ranks, whose reductions are not recorded"));
    }
    ASSIGN_OR_RETURN(parts.recorder, StepRecorder::Create(device));
  } else {
    RETURN_IF_ERROR(CatchTorch([&] { parts.reducer = std::make_unique<GradientReducer>(gang, *model.parameters); }));
  }
  TrainStep::Options options;
  options.max_grad_norm = spec.optimizer().max_grad_norm();
  options.clipping = spec.optimizer().clipping();
  options.average = model.average.get();
  options.recorder = parts.recorder.get();
  options.gang = gang;
  parts.step = std::make_unique<TrainStep>(model.parameters.get(), model.encoder.get(), model.objectives.get(),
                                           parts.reducer.get(), model.optimizer.get(), options);
  return parts;
}

}  // namespace mimeo
