// The encodings of an image attract each other. Either there are two of them, two views or one view under two masks, as
// in MV-MAE (Appl. Sci. 2023, 13(22), 12413), SimCLR (arXiv 2002.05709) and SimSiam (arXiv 2011.10566). Or each view is
// compared with the averaged network's encoding of every other full-size view, as in MoCo-v3 (arXiv 2104.02057;
// facebookresearch/moco-v3, moco/builder.py) and BYOL (arXiv 2006.07733). One thread at a time.
//
// The loss mixes the samples of a contrast group, which is one micro-step's rows over all ranks. Accumulated
// micro-steps are groups of their own: two of them do not give the loss of one group that is twice as large.
#pragma once

#include <optional>
#include <string>

#include "objective/losses.h"
#include "objective/objective.h"
#include "objective/projection_head.h"

namespace mimeo {

// Its parameters are those of ProjectionHead under PREFIXprojector. and, where the spec has a predictor, under
// PREFIXpredictor. (linear, BatchNorm, ReLU, linear; it has the BatchNorm if the projector has one). With
// average_target, `averaged` holds a second projector under the same names.
//
// Two encodings go through the heads together, so that a BatchNorm takes both views' rows as one batch. With
// average_target, each view goes through them by itself. The value is the mean over all comparisons.
//
// It reports embedding_std, alignment, uniformity and retrieval (losses.h) of what is compared, scaled to length 1:
// this rank's rows against the group's. With average_target they describe the first comparison alone.
class Contrastive final : public Objective {
 public:
  // REQUIRES: a resolved spec; an encoder with a class token, where that is pooled; `averaged` with average_target, and
  // otherwise it is not looked at. Every rank calls Compute in the same order, because it gathers rows, except for a
  // pass that is `alone`.
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
