// Images as their own features: the baseline by which an encoder's k-NN and linear probe are judged. One thread.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "evaluation/crop_pass.h"
#include "evaluation/embedding.h"

namespace mimeo {

// An encoder that does not beat these features has learned nothing that a small picture does not show already. The side
// is a part of the protocol: other sides give other numbers.
constexpr int kRawPixelsPx = 32;  // the protocol's side, in pixels

// The pixels of a square evaluation crop as one row, normalised by ImageNet's statistics (a grey image by their means).
class RawPixels final : public CropUse {
 public:
  explicit RawPixels(int channels, int side_px = kRawPixelsPx) : shape_{channels, side_px, side_px} {}

  std::vector<CropShape> shapes() const override { return {shape_}; }
  absl::Status Use(const CropBatch& batch) override;
  // The rows as patch_mean_ND, channels * side_px * side_px wide, without class tokens. To be called once, after the
  // pass. Where all images are left out, there are zero rows.
  Embeddings Finish();

 private:
  const CropShape shape_;
  Embeddings embeddings_;  // the images so far
  // One tensor for each batch so far, on the CPU.
  std::vector<at::Tensor> rows_;
};

}  // namespace mimeo
