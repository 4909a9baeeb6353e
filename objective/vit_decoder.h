// MAE's decoder (facebookresearch/mae, models_mae.py, forward_decoder; the names of its parameters too): a narrow ViT
// that sees the encoder's tokens and one learned token per hidden patch. It predicts the pixels of a hidden patch, or a
// teacher's features of it. One thread at a time.
//
// Attention does not know the order of its tokens, so they stay as [class, visible, hidden], where MAE puts them back
// into raster order. The last block, the norm and the prediction run on the hidden rows only, because nobody uses the
// others. This changes no result by more than rounding.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

struct DecoderShape {
  int width = 0, depth = 0, heads = 0;
  int64_t num_values = 0;  // how many are predicted of each hidden patch: P for pixels, T for a teacher's features
};

class VitDecoder final : public Decoder {
 public:
  // Adds PREFIXdecoder_embed.weight, PREFIXmask_token, PREFIXdecoder_blocks.0 and so on, and the constant
  // PREFIXdecoder_pos_embed. The encoder is looked at and not kept. REQUIRES: shape.depth > 0.
  VitDecoder(const DecoderShape& shape, const Encoder& encoder, const std::string& prefix, Parameters* parameters);

  at::Tensor Predict(const Encoding& encoding, const MaskPlan& plan) const override;

 private:
  at::Tensor positions_;  // (L + 1, decoder width); row 0 is the class token's
  Linear embed_;
  at::Tensor hidden_token_;
  std::vector<TransformerBlock> blocks_;
  LayerNorm norm_;
  Linear predict_;
};

}  // namespace mimeo
