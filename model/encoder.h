// An image encoder that never looks at hidden patches: when hidden pixels change, its output stays bit-equal, and a
// test says so for each implementation.
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

// What a caller wants beside the last tokens.
struct EncodeOptions {
  // Numbers of transformer blocks, from 1, whose output is wanted as it leaves the block, before the last norm.
  std::vector<int> blocks;
  bool class_attention = false;  // REQUIRES: a class token
  // (B, R): what each residual branch of each image is multiplied by, 0 or more, as DropPathScales draws it. Undefined:
  // nothing is dropped.
  at::Tensor drop_path_BR;
};

// What an encoder makes of a batch of images under one mask each. B images, K visible and M hidden patches, width D.
struct Encoding {
  at::Tensor visible_BKD;  // after the last norm; row k belongs to plan.visible_BK[:, k]
  at::Tensor class_BD;     // after the last norm; undefined for an encoder without class token
  // After the last norm; row m belongs to plan.hidden_BM[:, m]. Undefined where nothing is hidden, and for an encoder
  // without mask token.
  at::Tensor hidden_BMD;
  // By the block's number: the class token, where there is one, and then the visible patches.
  std::map<int, at::Tensor> blocks_BND;
  // How much the class token attends to each visible patch in the last block: softmax over all tokens, mean over heads.
  at::Tensor class_attention_BK;
};

// Implemented by VitEncoder and ConvVitEncoder. It keeps handles to tensors of the Parameters that it was made over,
// and what it computes with is always their newest value. One thread at a time. Encode may throw what libtorch throws
// (model/catch_torch.h).
class Encoder {
 public:
  virtual ~Encoder() = default;
  // `images_BCHW` are normalised floats of the size that image() states. A VitEncoder also takes other sizes that its
  // patches tile, as multi-crop needs them, and interpolates its positions to their grid. `plan` is of the images' own
  // grid and on their device.
  virtual Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan, const EncodeOptions& options) const = 0;
  Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan) const { return Encode(images_BCHW, plan, {}); }

  virtual const ImageShape& image() const = 0;
  virtual PatchGrid grid() const = 0;
  virtual int width() const = 0;       // D
  virtual int num_blocks() const = 0;  // transformer blocks
  virtual bool has_class_token() const = 0;
  virtual bool has_mask_token() const = 0;  // encodes hidden patches too, as one learned token each
  // The probability with which each residual branch is dropped in training: R of them, in order of the forward pass.
  virtual std::vector<double> drop_path_rates() const = 0;
};

// The shape of the images that a job trains on. REQUIRES: a resolved spec.
ImageShape ImageShapeOf(const DataSpec& data);

// Makes the encoder that `spec` names. It adds its parameters under "encoder." with timm's names (MCMAE's for
// conv_vit), in the order of the forward pass: encoder.cls_token, encoder.patch_embed.proj.weight,
// encoder.blocks.0.attn.qkv.weight, and at last encoder.norm.bias. REQUIRES: a resolved spec whose patches tile the
// image.
std::unique_ptr<Encoder> MakeEncoder(const EncoderSpec& spec, const ImageShape& image, Parameters* parameters);

// Draws stochastic depth (arXiv 1603.09382), with one key per image: 0 where branch r is dropped, and 1 / (1 - rate_r)
// where it is kept, so that the mean stays the same. (B, R) float32 on the CPU; undefined where all rates are 0.
at::Tensor DropPathScales(absl::Span<const RandomKey> keys, const std::vector<double>& rates);

}  // namespace mimeo
