// The two encodings of an image attract each other (MV-MAE, Appl. Sci. 2023, 13(22), 12413; SimCLR, arXiv 2002.05709; SimSiam,
// arXiv 2011.10566): two views, or one view under two masks. One thread.
//
// It mixes the samples of a contrast group, which is one micro-step's rows over all ranks: accumulated micro-steps are groups of
// their own, and two of them are not one twice as large (methods.md, section 9, item 12).
#pragma once

#include <optional>
#include <string>

#include "objective/losses.h"
#include "objective/objective.h"
#include "objective/projection_head.h"

namespace mimeo {

// Parameters: those of ProjectionHead under PREFIXprojector. and, for the cosine loss, PREFIXpredictor. (linear, BatchNorm, ReLU,
// linear; its BatchNorm comes and goes with the projector's).
//
// Statistics: embedding_std, alignment, uniformity, retrieval (losses.h) of the projections, scaled to length 1: this rank's
// against the group's.
class Contrastive final : public Objective {
 public:
  // REQUIRES: a resolved spec; a class token where it pools that.
  Contrastive(const ContrastiveSpec& spec, const Encoder& encoder, const RowGatherer& rows, const std::string& prefix,
              Parameters* parameters);

  Needs needs() const override { return {}; }
  LossTerm Compute(const ForwardPass& pass) const override;

 private:
  at::Tensor Pool(const Encoding& encoding) const;

  const ContrastiveSpec spec_;
  const RowGatherer rows_;
  const ProjectionHead projector_;
  const std::optional<ProjectionHead> predictor_;  // with the cosine loss
};

}  // namespace mimeo
