// MAE's decoder (facebookresearch/mae, models_mae.py, forward_decoder; its parameter names): a narrow ViT that sees the
// encoder's tokens and one learned token per hidden patch. It predicts pixels, or what else a hidden patch is to be
// known by. One thread.
//
// Attention does not know the order of its tokens, so they are kept as [class, visible, hidden] instead of being put
// back into raster order, and the last block, the norm and the prediction run on the hidden rows only: the others' are
// never used.
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
  int64_t num_values = 0;  // predicted of each hidden patch
};

class VitDecoder final : public Decoder {
 public:
  // Adds PREFIXdecoder_embed.weight, PREFIXmask_token, PREFIXdecoder_blocks.0..., and the constant
  // PREFIXdecoder_pos_embed. REQUIRES: shape.depth > 0.
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
