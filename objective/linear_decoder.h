// SimMIM's head (arXiv 2111.09886; microsoft/SimMIM, models/simmim.py): it predicts the pixels of each hidden patch
// from the encoder's own token at that place, by one linear layer. One thread at a time.
#pragma once

#include <string>

#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

// It is for encoders that encode hidden patches too, as mask tokens. Predict gives (B, M, P), in plan.hidden_BM's
// order.
class LinearPixelDecoder final : public Decoder {
 public:
  // Adds PREFIXpred.weight and .bias. REQUIRES: encoder.has_mask_token().
  LinearPixelDecoder(const Encoder& encoder, const std::string& prefix, Parameters* parameters);

  at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const override;

 private:
  Linear predict_;
};

}  // namespace mimeo
