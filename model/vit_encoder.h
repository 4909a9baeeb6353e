// A Vision Transformer over the visible patches (facebookresearch/mae, models_mae.py, forward_encoder; timm's names).
// Hidden patches are never read, not even to be embedded. One thread.
#pragma once

#include <memory>
#include <vector>

#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"
#include "proto/job.pb.h"

namespace mimeo {

// int(width * mlp_ratio), as timm; a ratio that was computed from two integers gives the integer back.
int MlpWidth(const VitSpec& spec);

class VitEncoder final : public Encoder {
 public:
  // REQUIRES: every field of `spec` is set, and its patches tile the image. Adds the constant "encoder.pos_embed" (L + 1, D),
  // sine-cosine positions; a weights file that brings its own overwrites it.
  VitEncoder(const VitSpec& spec, int image_px, double norm_epsilon, Parameters* parameters);

  Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan) const override;
  PatchGrid grid() const override { return grid_; }
  int width() const override { return width_; }

 private:
  at::Tensor EmbedVisible(const at::Tensor& images_BCHW, const at::Tensor& visible_BK) const;

  PatchGrid grid_;
  int width_;
  Products products_;
  at::Tensor positions_;  // (L + 1, D); row 0 is the class token's
  at::Tensor class_token_;
  at::Tensor patch_weight_;
  at::Tensor patch_bias_;
  std::vector<TransformerBlock> blocks_;
  std::vector<LayerNorm> norm_;  // one, made after the blocks so that parameters are in order of the forward pass
};

}  // namespace mimeo
