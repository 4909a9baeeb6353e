// A Vision Transformer over the visible patches (facebookresearch/mae, models_mae.py, forward_encoder; timm's names),
// with the variations that CLIP, DINO and DINOv2 have. Hidden patches are never read, not even to be embedded. One
// thread at a time.
#pragma once

#include <memory>
#include <vector>

#include "model/block_stack.h"
#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"
#include "proto/job.pb.h"

namespace mimeo {

// int(width * mlp_ratio), as in timm. A ratio that was computed from two integers gives the integer back.
int MlpWidth(int width, double mlp_ratio);

// The variations are fields of VitSpec: a class token or none, registers, a norm before the blocks (CLIP), biases,
// layer scale (DINOv2), learned or fixed positions, and a mask token (SimMIM), with which hidden patches take part as
// one learned token each.
class VitEncoder final : public Encoder {
 public:
  // REQUIRES: every field of `spec` is set, and its patches tile the image. Adds "encoder.pos_embed" (L + 1, D), whose
  // row 0 belongs to the class token. It is a constant where positions are fixed; otherwise it is a parameter that
  // starts as the sine-cosine positions, or drawn (DrawsPositions). A weights file that has positions overwrites it.
  VitEncoder(const VitSpec& spec, const ImageShape& image, Parameters* parameters);

  using Encoder::Encode;
  Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan, const EncodeOptions& options) const override;
  const ImageShape& image() const override { return image_; }
  PatchGrid grid() const override { return grid_; }
  int width() const override { return width_; }
  int num_blocks() const override { return blocks_.front().depth(); }
  bool has_class_token() const override { return class_token_.defined(); }
  bool has_mask_token() const override { return mask_token_.defined(); }
  std::vector<double> drop_path_rates() const override { return DropPathRates(drop_path_, num_blocks()); }

 private:
  // `positions_LD` are of the images' own grid.
  at::Tensor EmbedVisible(const at::Tensor& images_BCHW, const at::Tensor& visible_BK, const PatchGrid& grid,
                          const at::Tensor& positions_LD) const;
  // In this order: the class token, register tokens, visible patches, and hidden ones where there is a mask token; all
  // but registers have their positions added.
  at::Tensor Tokens(const at::Tensor& images_BCHW, const MaskPlan& plan) const;
  bool HidesFrom(const MaskPlan& plan) const;  // whether tokens of hidden patches are among Tokens

  const ImageShape image_;
  const PatchGrid grid_;
  const int width_;
  const double drop_path_;
  const double position_offset_;
  const Products products_;
  // The parts in the order of the forward pass, in which the constructor adds their parameters. Handles into
  // Parameters.
  at::Tensor positions_;    // (L + 1, D)
  at::Tensor class_token_;  // undefined: none
  at::Tensor registers_;    // (1, R, D); undefined: none
  at::Tensor mask_token_;   // (1, 1, D); undefined: none
  at::Tensor patch_weight_;
  at::Tensor patch_bias_;            // undefined: none
  std::vector<LayerNorm> pre_norm_;  // one or none
  std::vector<BlockStack> blocks_;   // one; like norm_, made in order of the forward pass so that parameters are
  std::vector<LayerNorm> norm_;      // one
};

}  // namespace mimeo
