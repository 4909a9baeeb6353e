#include "model/vit_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index.h>

#include <string>

#include "model/initial_weights.h"
#include "model/patches.h"

namespace mimeo {
namespace {

// (B, C, H, W), (B, K) -> (B, K, C * p * p) in the order of a convolution's weight. Copies the chosen patches only.
at::Tensor GatherPatches(const at::Tensor& images_BCHW, const at::Tensor& index_BK, const PatchGrid& grid) {
  const int64_t batch = images_BCHW.size(0), channels = images_BCHW.size(1), p = grid.patch_px;
  const at::Tensor image = at::arange(batch, index_BK.options()).unsqueeze(1);
  const at::Tensor row = index_BK.floor_divide(grid.cols), col = index_BK.remainder(grid.cols);
  return images_BCHW.view({batch, channels, grid.rows, p, grid.cols, p})
      .permute({0, 2, 4, 1, 3, 5})
      .index({image, row, col})
      .flatten(2);
}

BlockShape ShapeOf(const VitSpec& spec) {
  BlockShape shape;
  shape.width = spec.width();
  shape.heads = spec.heads();
  shape.mlp_width = MlpWidth(spec.width(), spec.mlp_ratio());
  shape.norm_epsilon = spec.norm_epsilon();
  shape.activation = spec.activation();
  shape.qkv_bias = spec.qkv_bias();
  shape.layer_scale = spec.layer_scale();
  return shape;
}

// (L + 1, D): a constant where positions are fixed.
at::Tensor AddPositions(const VitSpec& spec, const PatchGrid& grid, Parameters* parameters) {
  const std::string name = "encoder.pos_embed";
  const at::Tensor fixed = SinCosPositions(grid, spec.width());
  if (spec.positions() != POSITIONS_LEARNED) return parameters->AddConstant(name, fixed);
  if (!DrawsPositions(parameters->initial_weights())) return parameters->AddAs(name, fixed);
  return parameters->Add(name, fixed.sizes(), Init::kNormal002);
}

}  // namespace

int MlpWidth(int width, double mlp_ratio) { return static_cast<int>(width * mlp_ratio + 1e-6); }

VitEncoder::VitEncoder(const VitSpec& spec, const ImageShape& image, Parameters* parameters)
    : image_(image),
      grid_(GridOf(image, spec.patch_px())),
      width_(spec.width()),
      drop_path_(spec.drop_path()),
      position_offset_(spec.position_offset()),
      products_(parameters->products()),
      positions_(AddPositions(spec, grid_, parameters)) {
  const int64_t p = spec.patch_px(), fan_in = image.channels * p * p;
  if (spec.class_token()) class_token_ = parameters->Add("encoder.cls_token", {1, 1, width_}, Init::kNormal002);
  if (spec.register_tokens() > 0) {
    registers_ = parameters->Add("encoder.reg_token", {1, spec.register_tokens(), width_}, Init::kNormal002);
  }
  if (spec.mask_token()) mask_token_ = parameters->Add("encoder.mask_token", {1, 1, width_}, Init::kNormal002);
  patch_weight_ =
      parameters->Add("encoder.patch_embed.proj.weight", {width_, image.channels, p, p}, Init::kXavierUniform);
  if (spec.patch_bias()) {
    patch_bias_ = parameters->Add("encoder.patch_embed.proj.bias", {width_}, Init::kConvDefault, fan_in);
  }
  if (spec.frozen_patch_embedding()) {
    parameters->Freeze("encoder.patch_embed.proj.weight");
    if (spec.patch_bias()) parameters->Freeze("encoder.patch_embed.proj.bias");
  }
  if (spec.pre_norm()) pre_norm_.emplace_back("encoder.norm_pre", width_, spec.norm_epsilon(), parameters);
  blocks_.emplace_back("encoder.blocks.", spec.depth(), ShapeOf(spec), parameters);
  norm_.emplace_back("encoder.norm", width_, spec.norm_epsilon(), parameters);
}

at::Tensor VitEncoder::EmbedVisible(const at::Tensor& images_BCHW, const at::Tensor& visible_BK, const PatchGrid& grid,
                                    const at::Tensor& positions_LD) const {
  const at::Tensor patches = GatherPatches(images_BCHW, visible_BK, grid).to(patch_weight_.scalar_type());
  const at::Tensor place = positions_LD.slice(0, 1).index({visible_BK});
  return LinearProduct(patches, patch_weight_.flatten(1), patch_bias_, products_) + place;
}

at::Tensor VitEncoder::Tokens(const at::Tensor& images_BCHW, const MaskPlan& plan) const {
  const int64_t batch = images_BCHW.size(0);
  const ImageShape image = {image_.channels, static_cast<int>(images_BCHW.size(2)),
                            static_cast<int>(images_BCHW.size(3))};
  const PatchGrid grid = GridOf(image, grid_.patch_px);
  const at::Tensor positions_LD = InterpolatePositions(positions_, grid_, grid, position_offset_);
  std::vector<at::Tensor> tokens;
  if (class_token_.defined()) tokens.push_back((class_token_ + positions_LD.slice(0, 0, 1)).expand({batch, 1, width_}));
  if (registers_.defined()) tokens.push_back(registers_.expand({batch, registers_.size(1), width_}));
  tokens.push_back(EmbedVisible(images_BCHW, plan.visible_BK, grid, positions_LD));
  if (HidesFrom(plan)) tokens.push_back(mask_token_ + positions_LD.slice(0, 1).index({plan.hidden_BM}));
  const at::Tensor x = tokens.size() == 1 ? tokens.front() : at::cat(tokens, 1);
  return pre_norm_.empty() ? x : pre_norm_.front()(x);
}

bool VitEncoder::HidesFrom(const MaskPlan& plan) const { return mask_token_.defined() && plan.hidden_BM.size(1) > 0; }

Encoding VitEncoder::Encode(const at::Tensor& images_BCHW, const MaskPlan& plan, const EncodeOptions& options) const {
  BlockStack::Extra extra;
  extra.class_tokens = class_token_.defined() ? 1 : 0;
  extra.registers = registers_.defined() ? registers_.size(1) : 0;
  extra.hidden = HidesFrom(plan) ? plan.hidden_BM.size(1) : 0;
  Encoding encoding;
  const at::Tensor tokens = blocks_.front().Forward(Tokens(images_BCHW, plan), extra, options, 0, &encoding);
  const at::Tensor x = norm_.front()(tokens);
  const int64_t first_hidden = x.size(1) - extra.hidden;
  encoding.visible_BKD = x.slice(1, extra.class_tokens + extra.registers, first_hidden);
  if (extra.hidden > 0) encoding.hidden_BMD = x.slice(1, first_hidden);
  if (extra.class_tokens > 0) encoding.class_BD = x.select(1, 0);
  return encoding;
}

}  // namespace mimeo
