// Predicts the pixels of the hidden patches (MAE, arXiv 2111.06377, section 3; facebookresearch/mae, models_mae.py).
// One thread at a time.
#pragma once

#include <memory>
#include <string>

#include "objective/objective.h"

namespace mimeo {

// The value is the mean of ReconstructionLoss (losses.h) over the encodings: views, and each view's complementary
// masks. `target_view` says whose pixels are the target: the view's own, those of the next view (cyclically), or the
// shared evaluation crop. The places are always this encoding's hidden ones. Its parameters are those of VitDecoder or,
// with `linear`, of LinearPixelDecoder, under `prefix`.
class Reconstruction final : public Objective {
 public:
  Reconstruction(const ReconstructionSpec& spec, const Encoder& encoder, const std::string& prefix,
                 Parameters* parameters);

  Needs needs() const override { return {/*shared_target=*/target_view_ == TARGET_VIEW_SHARED}; }
  LossTerm Compute(const ForwardPass& pass) const override;
  // What a picture needs: the decoder, and whether its predictions are of normalised patches.
  const Decoder& decoder() const { return *decoder_; }
  bool normalizes_patches() const { return normalizes_patches_; }

 private:
  // (B, M, P): what encoding `i` is to predict.
  at::Tensor Target(const ForwardPass& pass, size_t i) const;

  int patch_px_;
  bool normalizes_patches_;
  PixelDistance distance_;
  TargetView target_view_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace mimeo
