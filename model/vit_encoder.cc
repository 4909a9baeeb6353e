#include "model/vit_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index.h>

#include <string>

#include "absl/base/internal/raw_logging.h"
#include "model/patches.h"

namespace mimeo {
namespace {

constexpr int kChannels = 3;

// (B, C, H, W), (B, K) -> (B, K, C * p * p) in the order of a convolution's weight. Copies the chosen patches only.
at::Tensor GatherPatches(const at::Tensor& images_BCHW, const at::Tensor& index_BK, const PatchGrid& grid) {
  const int64_t batch = images_BCHW.size(0), p = grid.patch_px;
  const at::Tensor image = at::arange(batch, index_BK.options()).unsqueeze(1);
  const at::Tensor row = index_BK.floor_divide(grid.cols), col = index_BK.remainder(grid.cols);
  return images_BCHW.view({batch, kChannels, grid.rows, p, grid.cols, p})
      .permute({0, 2, 4, 1, 3, 5})
      .index({image, row, col})
      .flatten(2);
}

}  // namespace

int MlpWidth(const VitSpec& spec) { return static_cast<int>(spec.width() * spec.mlp_ratio() + 1e-6); }

VitEncoder::VitEncoder(const VitSpec& spec, int image_px, double norm_epsilon, Parameters* parameters)
    : grid_{image_px / spec.patch_px(), image_px / spec.patch_px(), spec.patch_px()},
      width_(spec.width()),
      products_(parameters->products()) {
  const int64_t p = spec.patch_px(), fan_in = kChannels * p * p;
  positions_ = parameters->AddConstant("encoder.pos_embed", SinCosPositions(grid_, width_));
  class_token_ = parameters->Add("encoder.cls_token", {1, 1, width_}, Init::kNormal002);
  patch_weight_ = parameters->Add("encoder.patch_embed.proj.weight", {width_, kChannels, p, p}, Init::kXavierUniform);
  patch_bias_ = parameters->Add("encoder.patch_embed.proj.bias", {width_}, Init::kConvDefault, fan_in);
  const BlockShape shape{width_, spec.heads(), MlpWidth(spec), norm_epsilon};
  blocks_.reserve(spec.depth());
  for (int i = 0; i < spec.depth(); ++i) {
    blocks_.emplace_back("encoder.blocks." + std::to_string(i), shape, parameters);
  }
  norm_.emplace_back("encoder.norm", width_, norm_epsilon, parameters);
}

at::Tensor VitEncoder::EmbedVisible(const at::Tensor& images_BCHW, const at::Tensor& visible_BK) const {
  const at::Tensor patches = GatherPatches(images_BCHW, visible_BK, grid_).to(patch_weight_.scalar_type());
  const at::Tensor place = positions_.slice(0, 1).index({visible_BK});
  return LinearProduct(patches, patch_weight_.flatten(1), patch_bias_, products_) + place;
}

Encoding VitEncoder::Encode(const at::Tensor& images_BCHW, const MaskPlan& plan) const {
  const int64_t batch = images_BCHW.size(0);
  const at::Tensor class_token = (class_token_ + positions_.slice(0, 0, 1)).expand({batch, 1, width_});
  at::Tensor x = at::cat({class_token, EmbedVisible(images_BCHW, plan.visible_BK)}, 1);
  for (const TransformerBlock& block : blocks_) x = block.Forward(x);
  x = norm_.front()(x);
  return {x.slice(1, 1), x.select(1, 0)};
}

std::unique_ptr<Encoder> MakeEncoder(const EncoderSpec& spec, int image_px, Parameters* parameters) {
  ABSL_RAW_CHECK(spec.kind_case() == EncoderSpec::kVit, "a resolved spec names its encoder");
  return std::make_unique<VitEncoder>(spec.vit(), image_px, /*norm_epsilon=*/1e-6, parameters);
}

}  // namespace mimeo
