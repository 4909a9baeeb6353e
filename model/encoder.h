// An image encoder that never looks at hidden patches: changing hidden pixels leaves its output bit-equal (tested).
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "model/mask_plan.h"
#include "model/parameters.h"
#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

struct Encoding {
  at::Tensor visible_BKD;  // after the last norm; row k belongs to plan.visible_BK[:, k]
  at::Tensor class_BD;     // undefined for an encoder without class token
};

// One thread. Implementations: vit_encoder (and, with the masked convolution stages, conv_vit_encoder).
class Encoder {
 public:
  virtual ~Encoder() = default;
  virtual Encoding Encode(const at::Tensor& images_BCHW, const MaskPlan& plan) const = 0;  // normalised float pixels
  virtual PatchGrid grid() const = 0;
  virtual int width() const = 0;  // D
};

// Adds its parameters under "encoder." with timm's names: encoder.cls_token, encoder.patch_embed.proj.weight,
// encoder.blocks.0.attn.qkv.weight, ..., encoder.norm.bias. REQUIRES: a resolved spec. Positions are fixed: no parameter.
std::unique_ptr<Encoder> MakeEncoder(const EncoderSpec& spec, int image_px, Parameters* parameters);

}  // namespace mimeo
