#include "model/conv_vit_encoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index.h>

#include "base/check.h"
#include "model/patches.h"
#include "model/stage_places.h"
#include "model/vit_encoder.h"

namespace mimeo {
namespace {

// Places of a patch along a side after the embedding of each stage; the last embedding makes it one.
constexpr int kTileSides[] = {4, 2};
constexpr int kShrink = 2;
constexpr double kNormEpsilon = 1e-6;

ConvStageShape StageShape(const ConvVitSpec& spec, const ImageShape& image, int stage) {
  ConvStageShape shape;
  shape.in = stage == 0 ? image.channels : spec.stage_width(stage - 1);
  shape.embed_side = stage == 0 ? spec.stem_px() : kShrink;
  shape.width = spec.stage_width(stage);
  shape.mlp_width = MlpWidth(spec.stage_width(stage), spec.mlp_ratio());
  shape.depth = spec.stage_depth(stage);
  shape.tile_side = kTileSides[stage];
  shape.output_width = spec.width();
  return shape;
}

}  // namespace

ConvVitEncoder::ConvVitEncoder(const ConvVitSpec& spec, const ImageShape& image, Parameters* parameters)
    : image_(image),
      grid_(GridOf(image, kTileSides[0] * spec.stem_px())),
      width_(spec.width()),
      drop_path_(spec.drop_path()),
      evaluation_(spec.stages()) {
  MIMEO_CHECK(spec.stage_width_size() == 2 && spec.stage_depth_size() == 2, "a resolved spec has two stages");
  positions_ = parameters->AddConstant("encoder.pos_embed", SinCosPositions(grid_, width_));
  stages_.reserve(2);
  for (const int stage : {0, 1}) stages_.emplace_back(stage + 1, StageShape(spec, image, stage), parameters);
  last_embedding_.emplace_back("encoder.patch_embed3", spec.stage_width(1), width_, kShrink, parameters,
                               Init::kXavierUniform);
  token_projection_.emplace_back("encoder.patch_embed4", width_, width_, parameters);
  if (spec.class_token()) class_token_ = parameters->Add("encoder.cls_token", {1, 1, width_}, Init::kNormal002);
  BlockShape shape;
  shape.width = width_;
  shape.heads = spec.heads();
  shape.mlp_width = MlpWidth(width_, spec.mlp_ratio());
  shape.norm_epsilon = kNormEpsilon;
  blocks_.emplace_back("encoder.blocks3.", spec.depth(), shape, parameters);
  norm_.emplace_back("encoder.norm", width_, kNormEpsilon, parameters);
}

std::vector<double> ConvVitEncoder::drop_path_rates() const {
  return DropPathRates(drop_path_, stages_[0].depth() + stages_[1].depth() + num_blocks());
}

ConvVitEncoder::Tokens ConvVitEncoder::VisibleTokens(const at::Tensor& images_BCHW, const MaskPlan& plan,
                                                     const at::Tensor& drop_path_BR) const {
  const auto places = MakeStagePlaces(evaluation_, plan, grid_);
  Tokens tokens;
  at::Tensor x = places->Pixels(images_BCHW).to(positions_.scalar_type());
  int64_t first_branch = 0;
  for (const ConvStage& stage : stages_) {
    x = stage.Forward(x, *places, drop_path_BR, first_branch);
    first_branch += 2 * stage.depth();
    tokens.outputs_BKD.push_back(stage.Output(x, *places));
  }
  x = token_projection_.front()(places->VisibleTokens(last_embedding_.front()(x)));
  tokens.patches_BKD = x + positions_.slice(0, 1).index({plan.visible_BK});
  return tokens;
}

Encoding ConvVitEncoder::Encode(const at::Tensor& images_BCHW, const MaskPlan& plan,
                                const EncodeOptions& options) const {
  const Tokens tokens = VisibleTokens(images_BCHW, plan, options.drop_path_BR);
  const BlockStack::Extra extra = {class_token_.defined() ? 1 : 0, 0};
  at::Tensor x = tokens.patches_BKD;
  if (extra.class_tokens > 0) {
    x = at::cat({(class_token_ + positions_.slice(0, 0, 1)).expand({x.size(0), 1, width_}), x}, 1);
  }
  Encoding encoding;
  x = blocks_.front().Forward(x, extra, options, 2 * (stages_[0].depth() + stages_[1].depth()), &encoding);
  at::Tensor fused_BKD = x.slice(1, extra.class_tokens);
  for (const at::Tensor& output_BKD : tokens.outputs_BKD) fused_BKD = fused_BKD + output_BKD;
  encoding.visible_BKD = norm_.front()(fused_BKD);
  if (extra.class_tokens > 0) encoding.class_BD = norm_.front()(x.select(1, 0));
  return encoding;
}

}  // namespace mimeo
