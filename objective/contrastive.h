// Encodings of an image attract each other: two views, or one view under two masks, as MV-MAE (Appl. Sci. 2023, 13(22),
// 12413), SimCLR (arXiv 2002.05709) and SimSiam (arXiv 2011.10566); or each view and the averaged network's of every
// other full-size view, as MoCo-v3 (arXiv 2104.02057; facebookresearch/moco-v3, moco/builder.py) and BYOL (arXiv
// 2006.07733). One thread.
//
// It mixes the samples of a contrast group, which is one micro-step's rows over all ranks: accumulated micro-steps are
// groups of their own, and two of them are not one twice as large (methods.md, section 9, item 12).
#pragma once

#include <optional>
#include <string>

#include "objective/losses.h"
#include "objective/objective.h"
#include "objective/projection_head.h"

namespace mimeo {

// Parameters: those of ProjectionHead under PREFIXprojector., also in the averaged ones with average_target, and, where
// the spec has a predictor, PREFIXpredictor. (linear, BatchNorm, ReLU, linear; its BatchNorm comes and goes with the
// projector's).
//
// Two encodings go through the heads together, so that a BatchNorm takes both views' rows as one batch; with
// average_target each view goes by itself. The value is the mean over all comparisons.
//
// Statistics: embedding_std, alignment, uniformity, retrieval (losses.h) of what is compared, scaled to length 1: this
// rank's against the group's; with average_target, of the first comparison.
class Contrastive final : public Objective {
 public:
  // REQUIRES: a resolved spec; a class token where it pools that; `averaged` with average_target, else it is not looked
  // at.
  Contrastive(const ContrastiveSpec& spec, const Encoder& encoder, const RowGatherer& rows, const std::string& prefix,
              Parameters* parameters, Parameters* averaged);

  Needs needs() const override { return {/*shared_target=*/false, /*average_targets=*/spec_.average_target()}; }
  LossTerm Compute(const ForwardPass& pass) const override;

 private:
  LossTerm CompareTwo(const ForwardPass& pass, const RowGatherer& rows) const;
  LossTerm CompareWithAverages(const ForwardPass& pass, const RowGatherer& rows) const;

  const ContrastiveSpec spec_;
  const RowGatherer rows_;
  const ProjectionHead projector_;
  const std::optional<ProjectionHead> predictor_;
  const std::optional<ProjectionHead> averaged_projector_;
};

}  // namespace mimeo
