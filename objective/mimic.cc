#include "objective/mimic.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>

#include "base/check.h"
#include "objective/losses.h"
#include "objective/vit_decoder.h"

namespace mimeo {
namespace {

constexpr double kNormEpsilon = 1e-6;

}  // namespace

at::Tensor MimickedPatches(const MaskPlan& plan, MimicTokens tokens) {
  if (tokens == MIMIC_TOKENS_VISIBLE) return plan.visible_BK;
  if (tokens == MIMIC_TOKENS_HIDDEN) return plan.hidden_BM;
  return at::cat({plan.visible_BK, plan.hidden_BM}, 1);
}

Mimic::Mimic(const ObjectiveSpec& spec, const Encoder& encoder, int teacher_width, const std::string& prefix,
             Parameters* parameters)
    : name_(spec.name()),
      spec_(spec.mimic()),
      encoder_has_class_token_(encoder.has_class_token()),
      blocks_(spec_.student_layer().begin(), spec_.student_layer().end()) {
  if (spec_.tokens() != MIMIC_TOKENS_HIDDEN) head_.emplace(prefix + "head", encoder.width(), teacher_width, parameters);
  if (spec_.tokens() != MIMIC_TOKENS_VISIBLE) {
    const DecoderShape shape = {spec_.decoder_width(), spec_.decoder_depth(), spec_.decoder_heads(), teacher_width};
    decoder_ = std::make_unique<VitDecoder>(shape, encoder, prefix, parameters);
  }
  if (blocks_.empty()) return;
  const auto count = static_cast<int64_t>(blocks_.size());
  fusion_weight_ =
      parameters->AddAs(prefix + "fusion.weight", at::full({count}, 1.0 / static_cast<double>(count), at::kFloat));
  for (const int block : blocks_) {
    fusion_norms_.emplace_back(prefix + "fusion.norm" + std::to_string(block), encoder.width(), kNormEpsilon,
                               parameters);
  }
}

Mimic::~Mimic() = default;

at::Tensor Mimic::StudentTokens(const Encoding& encoding) const {
  if (blocks_.empty()) {
    if (!spec_.class_token()) return encoding.visible_BKD;
    return at::cat({encoding.class_BD.unsqueeze(1), encoding.visible_BKD}, 1);
  }
  const int64_t first_row = encoder_has_class_token_ && !spec_.class_token() ? 1 : 0;
  at::Tensor fused;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const at::Tensor tokens = fusion_norms_[i](encoding.blocks_BND.at(blocks_[i]).slice(1, first_row));
    const at::Tensor weighted = tokens * fusion_weight_[static_cast<int64_t>(i)];
    fused = fused.defined() ? fused + weighted : weighted;
  }
  return fused;
}

at::Tensor Mimic::Predict(const Encoding& encoding, const MaskPlan& plan) const {
  if (decoder_ == nullptr) return (*head_)(StudentTokens(encoding));
  const at::Tensor hidden_BMT = decoder_->Predict(encoding, plan);
  return head_ ? at::cat({(*head_)(StudentTokens(encoding)), hidden_BMT}, 1) : hidden_BMT;
}

LossTerm Mimic::Compute(const ForwardPass& pass) const {
  at::Tensor sum;
  for (size_t i = 0; i < pass.views.size(); ++i) {
    const auto teacher = pass.views[i].teacher_BNT.find(name_);
    MIMEO_CHECK(teacher != pass.views[i].teacher_BNT.end(), "a view has no teacher tokens for objective ", name_);
    const at::Tensor student_BNT = Predict(pass.encodings[i], pass.views[i].plan);
    const at::Tensor loss = MimicLoss(student_BNT, teacher->second, spec_.distance(), spec_.teacher_norm());
    sum = sum.defined() ? sum + loss : loss;
  }
  return {sum / static_cast<double>(pass.views.size()), {}};
}

}  // namespace mimeo
