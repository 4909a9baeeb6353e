#include "model/weights/positions.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include "model/patches.h"

namespace mimeo {

at::Tensor PositionsWithClassRow(const at::Tensor& stored_ND, int num_patches, int registers) {
  const int64_t rows = stored_ND.size(0);
  if (rows == num_patches + 1) return stored_ND;
  if (rows == num_patches) return at::cat({at::zeros({1, stored_ND.size(1)}, stored_ND.options()), stored_ND});
  if (rows == num_patches + 1 + registers) {
    return at::cat({stored_ND.slice(0, 0, 1), stored_ND.slice(0, 1 + registers)});
  }
  return at::Tensor();
}

bool AreSineCosine(const at::Tensor& positions_LD, const PatchGrid& grid) {
  if (positions_LD.size(1) % 4 != 0) return false;
  const at::Tensor computed_LD = SinCosPositions(grid, static_cast<int>(positions_LD.size(1)));
  return (positions_LD - computed_LD).abs().max().item<float>() <= 1e-3f;
}

}  // namespace mimeo
