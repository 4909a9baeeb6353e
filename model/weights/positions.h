// Positions of one grid of patches for another. Pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/shapes.h"

namespace mimeo {

// As (1 + L, D): `stored` may lack the class token's row, which is then zeros, and may have rows of `registers`
// register tokens between it and the patches, which are dropped. Undefined: it has another number of rows.
at::Tensor PositionsWithClassRow(const at::Tensor& stored_ND, int num_patches, int registers);

// Are these facebookresearch/mae's sine-cosine positions, to 1e-3 (files may be half precision)?
bool AreSineCosine(const at::Tensor& positions_LD, const PatchGrid& grid);

}  // namespace mimeo
