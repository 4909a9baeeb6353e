// Each view's distribution over learned prototypes is to match the averaged network's distribution for every other
// full-size view (DINO, arXiv 2104.14294; facebookresearch/dino, main_dino.py, DINOLoss). One thread at a time.
//
// Nothing is contrasted. Two things keep the images from all having one distribution. A running mean of the averaged
// network's outputs is subtracted from them (centring), which works against one prototype for all. A low temperature
// (sharpening) works against the uniform distribution.
#pragma once

#include <string>

#include "objective/objective.h"
#include "objective/prototype_head.h"

namespace mimeo {

// Its parameters are PrototypeHead's under PREFIX; `averaged` has their averaged twins and the running mean
// PREFIXcenter, (P). The mean is over images, views and ranks, so neither accumulation nor the number of ranks changes
// it.
//
// It reports target_entropy and target_divergence (the loss is their sum; the divergence is Kullback-Leibler's, from
// targets to predictions), prototypes (how many are in use: exp of the entropy of the mean target, between 1 and P),
// and embedding_std of the bottleneck.
class SelfDistillation final : public Objective {
 public:
  // REQUIRES: a resolved spec; `averaged` is not null; an encoder with a class token, where that is pooled.
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

// Whether the prototypes stay as they are at `progress` in [0, 1] of the training. They do until it reaches
// spec.frozen_prototypes().
bool PrototypesAreFrozen(const SelfDistillationSpec& spec, double progress);

// The temperature of the targets: linear from warmup_temperature to teacher_temperature over the first `warmup` of the
// training, and constant from there on. With warmup_stages it is constant in each of them too.
double TeacherTemperatureAt(const SelfDistillationSpec& spec, double progress);

}  // namespace mimeo
