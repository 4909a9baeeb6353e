// MCMAE's encoder (arXiv 2205.03892; Alpha-VL/ConvMAE, models_convmae.py, forward_encoder; its names too). Two
// convolution stages, whose depthwise convolutions see visible places only, come before a transformer over the visible
// patches. Each stage's features are added to the transformer's output before the last norm. One thread at a time.
//
// A patch is 4 * stem_px pixels wide: 4 x 4 places of the first stage, 2 x 2 of the second, and then one token. Both
// ways to evaluate the stages (model/stage_places.h) give the same numbers to float tolerance.
#pragma once

#include <vector>

#include "model/block_stack.h"
#include "model/conv_stage.h"
#include "model/encoder.h"
#include "model/parameters.h"
#include "model/transformer.h"
#include "proto/job.pb.h"

namespace mimeo {

// The class token, where the spec has one, takes no part in the convolution stages. There is no mask token: hidden
// patches take no part at all.
class ConvVitEncoder final : public Encoder {
 public:
  // REQUIRES: every field of `spec` is set, there are two stages, and the patches tile the image. Adds the constant
  // "encoder.pos_embed" (L + 1, D): sine-cosine positions, of which row 0 belongs to the class token.
  ConvVitEncoder(const ConvVitSpec& spec, const ImageShape& image, Parameters* parameters);

  using Encoder::Encode;
  Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan, const EncodeOptions& options) const override;
  const ImageShape& image() const override { return image_; }
  PatchGrid grid() const override { return grid_; }
  int width() const override { return width_; }
  int num_blocks() const override { return blocks_.front().depth(); }
  bool has_mask_token() const override { return false; }
  bool has_class_token() const override { return class_token_.defined(); }
  // Linear over the blocks of all stages and then those of the transformer, in the order of the branches.
  std::vector<double> drop_path_rates() const override;

 private:
  struct Tokens {
    at::Tensor patches_BKD;               // positions added
    std::vector<at::Tensor> outputs_BKD;  // of the stages
  };
  // Embeds the visible patches through the stages, where `drop_path_BR` has the stages' branches first.
  Tokens VisibleTokens(const at::Tensor& images_BCHW, const MaskPlan& plan, const at::Tensor& drop_path_BR) const;

  const ImageShape image_;
  const PatchGrid grid_;
  const int width_;
  const double drop_path_;
  // How the stages see the image: at the visible patches only, or whole.
  const StageEvaluation evaluation_;
  at::Tensor positions_;    // (L + 1, D)
  at::Tensor class_token_;  // (1, 1, D); undefined: none
  // Like blocks_ and norm_, made in order of the forward pass so that parameters are.
  std::vector<ConvStage> stages_;               // two
  std::vector<PatchEmbedding> last_embedding_;  // one
  std::vector<Linear> token_projection_;        // one
  std::vector<BlockStack> blocks_;              // one
  std::vector<LayerNorm> norm_;                 // one
};

}  // namespace mimeo
