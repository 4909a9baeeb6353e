// Images as their own features: what an encoder's k-NN and linear probe are judged by. One thread.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "evaluation/crop_pass.h"
#include "evaluation/embedding.h"

namespace mimeo {

constexpr int kRawPixelsPx = 32;  // the protocol's side, in pixels

// The pixels of a square evaluation crop, normalised by ImageNet's statistics (grey: by their means) and flattened.
class RawPixels final : public CropUse {
 public:
  explicit RawPixels(int channels, int side_px = kRawPixelsPx) : shape_{channels, side_px, side_px} {}

  std::vector<CropShape> shapes() const override { return {shape_}; }
  absl::Status Use(const CropBatch& batch) override;
  // As patch_mean_ND, channels * side_px * side_px wide; no tokens. Where all images are left out, zero rows.
  Embeddings Finish();

 private:
  const CropShape shape_;
  Embeddings embeddings_;  // the images so far
  std::vector<at::Tensor> rows_;
};

}  // namespace mimeo
