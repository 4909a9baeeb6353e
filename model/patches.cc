#include "model/patches.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/var_mean.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <optional>

#include "base/check.h"

namespace mimeo {
namespace {

// One axis: [sin(pos * omega) | cos(pos * omega)], blocked, with omega_i = 10000^(-i / half).
void SinCosAxis(int position, int half, float* out) {
  for (int i = 0; i < half; ++i) {
    const double angle = position * std::pow(10000.0, -static_cast<double>(i) / half);
    out[i] = static_cast<float>(std::sin(angle));
    out[half + i] = static_cast<float>(std::cos(angle));
  }
}

}  // namespace

at::Tensor Patchify(const at::Tensor& images_BCHW, int patch_px) {
  const int64_t batch = images_BCHW.size(0), channels = images_BCHW.size(1), p = patch_px;
  const int64_t rows = images_BCHW.size(2) / p, cols = images_BCHW.size(3) / p;
  MIMEO_CHECK(images_BCHW.size(2) == rows * p && images_BCHW.size(3) == cols * p, "patches must tile the image");
  return images_BCHW.view({batch, channels, rows, p, cols, p})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({batch, rows * cols, p * p * channels});
}

at::Tensor Unpatchify(const at::Tensor& patches_BLP, const PatchGrid& grid) {
  const int64_t batch = patches_BLP.size(0), p = grid.patch_px, channels = patches_BLP.size(2) / (p * p);
  return patches_BLP.reshape({batch, grid.rows, grid.cols, p, p, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({batch, channels, grid.rows * p, grid.cols * p});
}

at::Tensor SinCosPositions(const PatchGrid& grid, int width) {
  MIMEO_CHECK(width % 4 == 0, "two axes of sines and cosines need a width that is a multiple of 4");
  at::Tensor positions_LD = at::zeros({grid.num_patches() + 1, width}, at::kFloat);
  float* out = positions_LD.data_ptr<float>() + width;
  for (int row = 0; row < grid.rows; ++row) {
    for (int col = 0; col < grid.cols; ++col, out += width) {
      SinCosAxis(col, width / 4, out);
      SinCosAxis(row, width / 4, out + width / 2);
    }
  }
  return positions_LD;
}

at::Tensor InterpolatePositions(const at::Tensor& positions_LD, const PatchGrid& from, const PatchGrid& to,
                                double offset) {
  if (from.rows == to.rows && from.cols == to.cols) return positions_LD;
  const at::Tensor image_1DHW = positions_LD.slice(0, 1).t().reshape({1, positions_LD.size(1), from.rows, from.cols});
  std::optional<double> row_scale, col_scale;  // none: as the sizes say
  if (offset != 0) row_scale = (to.rows + offset) / from.rows, col_scale = (to.cols + offset) / from.cols;
  const at::Tensor resized_1DHW =
      at::upsample_bicubic2d(image_1DHW, {to.rows, to.cols}, /*align_corners=*/false, row_scale, col_scale);
  return at::cat({positions_LD.slice(0, 0, 1), resized_1DHW.flatten(2).squeeze(0).t()});
}

at::Tensor NormalizePatches(const at::Tensor& patches_BLP) {
  const auto [variance, mean] =
      at::var_mean(patches_BLP, /*dim=*/at::IntArrayRef{-1}, /*unbiased=*/true, /*keepdim=*/true);
  return (patches_BLP - mean) / (variance + 1e-6).sqrt();
}

PixelStatistics ImageNetStatistics() { return {{0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}}; }

PixelStatistics StatisticsOf(const DataSpec& data) {
  return {{data.pixel_mean().begin(), data.pixel_mean().end()}, {data.pixel_std().begin(), data.pixel_std().end()}};
}

at::Tensor NormalizePixels(const at::Tensor& bytes_BCHW, const PixelStatistics& statistics) {
  const auto channels = static_cast<int64_t>(statistics.mean.size());
  MIMEO_CHECK(bytes_BCHW.size(1) == channels && statistics.std.size() == statistics.mean.size(),
              "statistics of every channel");
  at::Tensor scale = at::empty({channels, 1, 1}, at::kFloat), shift = at::empty({channels, 1, 1}, at::kFloat);
  for (int64_t c = 0; c < channels; ++c) {
    scale.data_ptr<float>()[c] = static_cast<float>(1 / (255.0 * statistics.std[c]));
    shift.data_ptr<float>()[c] = static_cast<float>(-static_cast<double>(statistics.mean[c]) / statistics.std[c]);
  }
  const at::Device device = bytes_BCHW.device();
  return bytes_BCHW.to(at::kFloat).mul_(scale.to(device)).add_(shift.to(device));
}

}  // namespace mimeo
