// Each view's distribution over learned prototypes matches the averaged network's of every other full-size view (DINO,
// arXiv 2104.14294; facebookresearch/dino, main_dino.py, DINOLoss). One thread.
//
// Nothing is contrasted: what keeps all images from one distribution are a running mean of the averaged network's
// outputs, which is subtracted (centring, against one prototype for all), and a low temperature (sharpening, against
// the uniform one).
#pragma once

#include <string>

#include "objective/objective.h"
#include "objective/prototype_head.h"

namespace mimeo {

// Parameters: PrototypeHead's under PREFIX, and its averaged twin's; the running mean is PREFIXcenter, (P), of the
// averaged ones. The mean is over images, views and ranks, so neither accumulation nor the number of ranks changes it.
//
// Statistics: target_entropy, target_divergence (the loss is their sum: Kullback-Leibler from targets to predictions),
// prototypes (how many are in use: exp of the entropy of the mean target, between 1 and P), embedding_std (of the
// bottleneck).
class SelfDistillation final : public Objective {
 public:
  // REQUIRES: a resolved spec; `averaged`; a class token where it pools that.
  SelfDistillation(const SelfDistillationSpec& spec, const Encoder& encoder, const RowGatherer& rows,
                   const std::string& prefix, Parameters* parameters, Parameters* averaged);

  Needs needs() const override { return {/*shared_target=*/false, /*average_targets=*/true}; }
  LossTerm Compute(const ForwardPass& pass) const override;

 private:
  const SelfDistillationSpec spec_;
  const RowGatherer rows_;
  const std::string center_name_;
  const PrototypeHead head_;
  const PrototypeHead averaged_head_;
  const at::Tensor center_P_;
};

// Whether the prototypes stay as they are at `progress` in [0, 1] of training.
bool PrototypesAreFrozen(const SelfDistillationSpec& spec, double progress);

// Linear from warmup_temperature to teacher_temperature over the first `warmup` of training.
double TeacherTemperatureAt(const SelfDistillationSpec& spec, double progress);

}  // namespace mimeo
