#include "objective/vit_decoder.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/index.h>

#include "base/check.h"
#include "model/patches.h"

namespace mimeo {
namespace {

constexpr int kMlpRatio = 4;
constexpr double kNormEpsilon = 1e-6;

std::vector<TransformerBlock> MakeBlocks(const DecoderShape& decoder, const std::string& prefix,
                                         Parameters* parameters) {
  BlockShape shape;
  shape.width = decoder.width, shape.heads = decoder.heads, shape.mlp_width = kMlpRatio * decoder.width;
  shape.norm_epsilon = kNormEpsilon;
  std::vector<TransformerBlock> blocks;
  blocks.reserve(decoder.depth);
  for (int i = 0; i < decoder.depth; ++i) {
    blocks.emplace_back(prefix + "decoder_blocks." + std::to_string(i), shape, parameters);
  }
  return blocks;
}

}  // namespace

VitDecoder::VitDecoder(const DecoderShape& shape, const Encoder& encoder, const std::string& prefix,
                       Parameters* parameters)
    : positions_(parameters->AddConstant(prefix + "decoder_pos_embed", SinCosPositions(encoder.grid(), shape.width))),
      embed_(prefix + "decoder_embed", encoder.width(), shape.width, parameters),
      hidden_token_(parameters->Add(prefix + "mask_token", {1, 1, shape.width}, Init::kNormal002)),
      blocks_(MakeBlocks(shape, prefix, parameters)),
      norm_(prefix + "decoder_norm", shape.width, kNormEpsilon, parameters),
      predict_(prefix + "decoder_pred", shape.width, shape.num_values, parameters) {
  MIMEO_CHECK(!blocks_.empty(), "a decoder has at least one block");
}

at::Tensor VitDecoder::Predict(const Encoding& encoding, const MaskPlan& plan) const {
  const at::Tensor patch_positions = positions_.slice(0, 1);
  std::vector<at::Tensor> tokens;
  if (encoding.class_BD.defined()) tokens.push_back(embed_(encoding.class_BD.unsqueeze(1)) + positions_.slice(0, 0, 1));
  tokens.push_back(embed_(encoding.visible_BKD) + patch_positions.index({plan.visible_BK}));
  tokens.push_back(hidden_token_ + patch_positions.index({plan.hidden_BM}));
  at::Tensor x = at::cat(tokens, 1);
  for (size_t i = 0; i + 1 < blocks_.size(); ++i) x = blocks_[i].Forward(x);
  x = blocks_.back().Forward(x, x.size(1) - plan.hidden_BM.size(1));
  return predict_(norm_(x));
}

}  // namespace mimeo
