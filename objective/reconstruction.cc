#include "objective/reconstruction.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "base/check.h"
#include "model/patches.h"
#include "objective/linear_decoder.h"
#include "objective/losses.h"
#include "objective/vit_decoder.h"

namespace mimeo {
namespace {

// The view after input `i`'s, cyclically: inputs of one view differ in their masks only.
const at::Tensor& NextView(const ForwardPass& pass, size_t i) {
  int num_views = 0;
  for (const ViewInput& input : pass.views) num_views = std::max(num_views, input.view + 1);
  const int next = (pass.views[i].view + 1) % num_views;
  const auto found =
      std::find_if(pass.views.begin(), pass.views.end(), [&](const ViewInput& input) { return input.view == next; });
  MIMEO_CHECK(found != pass.views.end(), "views are numbered from 0 without a gap");
  return found->images_BCHW;
}

std::unique_ptr<Decoder> MakeDecoder(const ReconstructionSpec& spec, const Encoder& encoder, const std::string& prefix,
                                     Parameters* parameters) {
  if (spec.linear()) return std::make_unique<LinearPixelDecoder>(encoder, prefix, parameters);
  const int64_t patch_px = encoder.grid().patch_px;
  const DecoderShape shape = {spec.decoder_width(), spec.decoder_depth(), spec.decoder_heads(),
                              encoder.image().channels * patch_px * patch_px};
  return std::make_unique<VitDecoder>(shape, encoder, prefix, parameters);
}

}  // namespace

Reconstruction::Reconstruction(const ReconstructionSpec& spec, const Encoder& encoder, const std::string& prefix,
                               Parameters* parameters)
    : patch_px_(encoder.grid().patch_px),
      normalizes_patches_(spec.normalize_patches()),
      distance_(spec.distance()),
      target_view_(spec.target_view()),
      decoder_(MakeDecoder(spec, encoder, prefix, parameters)) {}

at::Tensor Reconstruction::Target(const ForwardPass& pass, size_t i) const {
  at::Tensor images_BCHW = pass.views[i].images_BCHW;
  if (target_view_ == TARGET_VIEW_CROSS) images_BCHW = NextView(pass, i);
  if (target_view_ == TARGET_VIEW_SHARED) images_BCHW = pass.shared_BCHW;
  const at::Tensor target_BMP = TakePatches(Patchify(images_BCHW, patch_px_), pass.views[i].plan.hidden_BM);
  return normalizes_patches_ ? NormalizePatches(target_BMP) : target_BMP;
}

LossTerm Reconstruction::Compute(const ForwardPass& pass) const {
  MIMEO_CHECK(target_view_ != TARGET_VIEW_SHARED || pass.shared_BCHW.defined(), "needs().shared_target was not met");
  at::Tensor sum;
  for (size_t i = 0; i < pass.views.size(); ++i) {
    const at::Tensor predicted_BMP = decoder_->Predict(pass.encodings[i], pass.views[i].plan);
    const at::Tensor loss = ReconstructionLoss(predicted_BMP, Target(pass, i), distance_);
    sum = sum.defined() ? sum + loss : loss;
  }
  return {sum / static_cast<double>(pass.views.size()), {}};
}

}  // namespace mimeo
