// An image encoder that never looks at hidden patches: changing hidden pixels leaves its output bit-equal (tested).
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "base/random_key.h"
#include "model/mask_plan.h"
#include "model/parameters.h"
#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

// What is wanted beside the last tokens.
struct EncodeOptions {
  std::vector<int> blocks;  // transformer blocks, from 1, whose output is wanted as they leave it, before the last norm
  bool class_attention = false;  // REQUIRES: a class token
  // (B, R): what each residual branch of each image is multiplied by, 0 or more (DropPathScales); undefined: nothing is
  // dropped.
  at::Tensor drop_path_BR;
};

struct Encoding {
  at::Tensor visible_BKD;  // after the last norm; row k belongs to plan.visible_BK[:, k]
  at::Tensor class_BD;     // undefined for an encoder without class token
  // After the last norm; row m belongs to plan.hidden_BM[:, m]. Undefined where nothing is hidden, and for an encoder
  // without mask token.
  at::Tensor hidden_BMD;
  std::map<int, at::Tensor> blocks_BND;  // by number: class token, where there is one, then the visible patches
  // The class token's attention to the visible patches in the last block, softmax over all tokens, mean over heads.
  at::Tensor class_attention_BK;
};

// One thread. Implementations: vit_encoder, conv_vit_encoder.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // `images_BCHW`: normalised floats of image(); a VitEncoder takes other sizes too that its patches tile, with its
  // positions interpolated to their grid (multi-crop).
  virtual Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan, const EncodeOptions& options) const = 0;
  Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan) const { return Encode(images_BCHW, plan, {}); }

  virtual const ImageShape& image() const = 0;
  virtual PatchGrid grid() const = 0;
  virtual int width() const = 0;       // D
  virtual int num_blocks() const = 0;  // transformer blocks
  virtual bool has_class_token() const = 0;
  virtual bool has_mask_token() const = 0;  // encodes hidden patches too, as one learned token each
  // Probability that residual branch r is dropped in training; R of them, in order of the forward pass.
  virtual std::vector<double> drop_path_rates() const = 0;
};

// The shape of the images that a job trains on. REQUIRES: resolved.
ImageShape ImageShapeOf(const DataSpec& data);

// Adds its parameters under "encoder." with timm's names (MCMAE's for conv_vit): encoder.cls_token,
// encoder.patch_embed.proj.weight, encoder.blocks.0.attn.qkv.weight, ..., encoder.norm.bias. REQUIRES: a resolved spec
// whose patches tile the image.
std::unique_ptr<Encoder> MakeEncoder(const EncoderSpec& spec, const ImageShape& image, Parameters* parameters);

// Stochastic depth (arXiv 1603.09382), one key per image: 0 where branch r is dropped, 1 / (1 - rate_r) where it is
// kept. Undefined where all rates are 0. float32 on the CPU.
at::Tensor DropPathScales(absl::Span<const RandomKey> keys, const std::vector<double>& rates);

}  // namespace mimeo
