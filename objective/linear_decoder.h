// SimMIM's head (arXiv 2111.09886; microsoft/SimMIM, models/simmim.py): the encoder's tokens at hidden places, through
// one linear layer. One thread.
#pragma once

#include <string>

#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

class LinearPixelDecoder final : public Decoder {
 public:
  // Adds PREFIXpred.weight and .bias. REQUIRES: encoder.has_mask_token().
  LinearPixelDecoder(const Encoder& encoder, const std::string& prefix, Parameters* parameters);

  at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const override;

 private:
  Linear predict_;
};

}  // namespace mimeo
