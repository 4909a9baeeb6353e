#include "evaluation/held_out_losses.h"

#include <ATen/core/grad_mode.h>

#include <utility>

#include "base/status_macros.h"
#include "evaluation/evaluation_batch.h"
#include "model/catch_torch.h"
#include "teacher/attach_or_stop.h"

namespace mimeo {

HeldOutLosses::HeldOutLosses(const JobSpec& spec, const EvaluatedModel& model, std::vector<FeatureSource*> teachers,
                             PassMaker make_pass, std::function<bool()> stop_wanted)
    : spec_(spec),
      model_(model),
      teachers_(std::move(teachers)),
      make_pass_(std::move(make_pass)),
      stop_wanted_(std::move(stop_wanted)) {
  for (const ObjectiveSpec& objective : spec_.objective()) sums_[objective.name()] = 0;
}

std::vector<CropShape> HeldOutLosses::shapes() const { return ViewShapes(spec_); }

absl::Status HeldOutLosses::Use(const CropBatch& batch) {
  if (batch.samples.empty()) return absl::OkStatus();
  return CatchTorch([&] { return Measure(batch); });
}

absl::Status HeldOutLosses::Measure(const CropBatch& crops) {
  const at::NoGradGuard no_grad;
  const Batch batch = MakeEvaluationBatch(spec_, crops);
  ForwardPass pass = make_pass_(batch);
  pass.alone = true;  // ranks have different numbers of rows here
  for (FeatureSource* teacher : teachers_) RETURN_IF_ERROR(AttachOrStop(teacher, batch, stop_wanted_, &pass.views));
  EncodeViews(*model_.encoder, model_.average, *model_.objectives, &pass);
  const auto rows = static_cast<double>(crops.samples.size());
  for (const auto& [name, term] : model_.objectives->Compute(pass).terms) sums_[name] += term.item<double>() * rows;
  images_ += rows;
  return absl::OkStatus();
}

}  // namespace mimeo
