// Pixels and patches, positions and targets, as facebookresearch/mae has them (models_mae.py, util/pos_embed.py). Pure
// functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

// (B, C, H, W) -> (B, L, P). Inside a patch the order is row, column, channel, with the channel fastest; MAE's released
// decoders predict in this order. REQUIRES: patches tile the image.
at::Tensor Patchify(const at::Tensor& images_BCHW, int patch_px);
at::Tensor Unpatchify(const at::Tensor& patches_BLP, const PatchGrid& grid);

// (L + 1, D) float32 sine-cosine positions. Row 0 is zeros for the class token. The first half of D encodes the column
// and the second half the row; swapped halves would break MAE's released weights without an error. Computed in double
// and rounded once. REQUIRES: `width` is a multiple of 4.
at::Tensor SinCosPositions(const PatchGrid& grid, int width);

// Takes (1 + L, D) positions of grid `from` to (1 + L', D) of grid `to`. Row 0, the class token's, is kept; the rest is
// interpolated bicubically with align_corners=False and without antialiasing, as facebookresearch/mae
// (util/pos_embed.py), facebookresearch/dinov2 (interpolate_pos_encoding, with no offset) and transformers' CLIP do.
// Where the grids have the same rows and columns, it returns the same tensor. Where `offset` is not 0, the new grid
// counts as so many patches higher and wider, which moves all samples a little (facebookresearch/dino,
// vision_transformer.py, interpolate_pos_encoding: 0.1). REQUIRES: float32 or float64.
at::Tensor InterpolatePositions(const at::Tensor& positions_LD, const PatchGrid& from, const PatchGrid& to,
                                double offset = 0);

// Brings each patch to mean 0 and variance 1 (unbiased variance, + 1e-6 under the root; facebookresearch/mae,
// models_mae.py, norm_pix_loss). A patch of one colour becomes zeros.
at::Tensor NormalizePatches(const at::Tensor& patches_BLP);

// The mean and the standard deviation, per channel, that pixels in [0, 1] are normalised by.
struct PixelStatistics {
  std::vector<float> mean;
  std::vector<float> std;
};
PixelStatistics ImageNetStatistics();
PixelStatistics StatisticsOf(const DataSpec& data);  // REQUIRES: a resolved spec

// uint8 (B, C, H, W) -> float32 with (x / 255 - mean) / std per channel, on the device of `bytes_BCHW`.
at::Tensor NormalizePixels(const at::Tensor& bytes_BCHW, const PixelStatistics& statistics);

}  // namespace mimeo
