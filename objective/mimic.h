// Make the visible tokens match a frozen teacher's, whitened per token (MR-MAE, arXiv 2303.05475: the mimic loss on visible
// tokens at the encoder's output). One thread.
#pragma once

#include <string>

#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

// The mean over views of MimicLoss. Parameters: PREFIXhead.{weight, bias}, D -> T. The class token is not supervised.
class Mimic final : public Objective {
 public:
  Mimic(const MimicSpec& spec, const Encoder& encoder, int teacher_width, const std::string& prefix, Parameters* parameters);

  Needs needs() const override { return {1, {teacher_}}; }
  at::Tensor Compute(const ForwardPass& pass) const override;

 private:
  std::string teacher_;
  Linear head_;
};

}  // namespace mimeo
