// Predict the pixels of the hidden patches (MAE, arXiv 2111.06377, section 3). One thread.
#pragma once

#include <string>

#include "objective/objective.h"
#include "objective/pixel_decoder.h"

namespace mimeo {

// The mean over views of ReconstructionLoss. Parameters: those of VitPixelDecoder under `prefix`.
class Reconstruction final : public Objective {
 public:
  Reconstruction(const ReconstructionSpec& spec, const Encoder& encoder, const std::string& prefix, Parameters* parameters);

  Needs needs() const override { return {}; }
  at::Tensor Compute(const ForwardPass& pass) const override;
  const PixelDecoder& decoder() const { return decoder_; }
  bool normalizes_patches() const { return normalizes_patches_; }

 private:
  int patch_px_;
  bool normalizes_patches_;
  VitPixelDecoder decoder_;
};

}  // namespace mimeo
