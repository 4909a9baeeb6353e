#include "model/weights/positions.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/zeros.h>

#include "model/patches.h"

namespace mimeo {

at::Tensor InterpolatePositions(const at::Tensor& positions_LD, const PatchGrid& from, const PatchGrid& to) {
  if (from.rows == to.rows && from.cols == to.cols) return positions_LD;
  const at::Tensor image_1DHW = positions_LD.slice(0, 1).t().reshape({1, positions_LD.size(1), from.rows, from.cols});
  const at::Tensor resized_1DHW = at::upsample_bicubic2d(image_1DHW, {to.rows, to.cols}, /*align_corners=*/false);
  return at::cat({positions_LD.slice(0, 0, 1), resized_1DHW.flatten(2).squeeze(0).t()});
}

at::Tensor PositionsWithClassRow(const at::Tensor& stored_ND, int num_patches, int registers) {
  const int64_t rows = stored_ND.size(0);
  if (rows == num_patches + 1) return stored_ND;
  if (rows == num_patches) return at::cat({at::zeros({1, stored_ND.size(1)}, stored_ND.options()), stored_ND});
  if (rows == num_patches + 1 + registers) return at::cat({stored_ND.slice(0, 0, 1), stored_ND.slice(0, 1 + registers)});
  return at::Tensor();
}

bool AreSineCosine(const at::Tensor& positions_LD, const PatchGrid& grid) {
  if (positions_LD.size(1) % 4 != 0) return false;
  const at::Tensor computed_LD = SinCosPositions(grid, static_cast<int>(positions_LD.size(1)));
  return (positions_LD - computed_LD).abs().max().item<float>() <= 1e-3f;
}

}  // namespace mimeo
