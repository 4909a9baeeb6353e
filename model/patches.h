// Pixels <-> patches, positions and targets, as facebookresearch/mae (models_mae.py, util/pos_embed.py). Pure
// functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

// (B, C, H, W) -> (B, L, P): inside a patch row, column, channel (channel fastest).
at::Tensor Patchify(const at::Tensor& images_BCHW, int patch_px);
at::Tensor Unpatchify(const at::Tensor& patches_BLP, const PatchGrid& grid);

// (L + 1, D) float32, row 0 zeros for the class token; the first half of D encodes the column, the second the row.
// Computed in double.
at::Tensor SinCosPositions(const PatchGrid& grid, int width);

// (1 + L, D) of grid `from` -> (1 + L', D) of grid `to`: row 0, the class token's, is kept; the rest is interpolated
// bicubically with align_corners=False and no antialiasing, as facebookresearch/mae (util/pos_embed.py),
// facebookresearch/dinov2 (interpolate_pos_encoding, with no offset) and transformers' CLIP do. The same tensor where
// the grids have the same rows and columns. REQUIRES: float32 or float64.
at::Tensor InterpolatePositions(const at::Tensor& positions_LD, const PatchGrid& from, const PatchGrid& to);

// Each patch to mean 0 and variance 1 (unbiased variance, + 1e-6 under the root).
at::Tensor NormalizePatches(const at::Tensor& patches_BLP);

// What pixels in [0, 1] are normalised by, per channel.
struct PixelStatistics {
  std::vector<float> mean;
  std::vector<float> std;
};
PixelStatistics ImageNetStatistics();
PixelStatistics StatisticsOf(const DataSpec& data);  // REQUIRES: resolved

// uint8 (B, C, H, W) -> float32 with (x / 255 - mean) / std per channel.
at::Tensor NormalizePixels(const at::Tensor& bytes_BCHW, const PixelStatistics& statistics);

}  // namespace mimeo
