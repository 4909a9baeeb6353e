// Brings the positions of a file into the shape that an encoder wants. Pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include "model/shapes.h"

namespace mimeo {

// Returns them as (1 + L, D). `stored_ND` may lack the class token's row, which then is zeros. It may have rows of
// `registers` register tokens between that row and the patches, which are dropped. Undefined: it has another number of
// rows.
at::Tensor PositionsWithClassRow(const at::Tensor& stored_ND, int num_patches, int registers);

// Whether these are facebookresearch/mae's sine-cosine positions, to 1e-3, because files may be half precision.
bool AreSineCosine(const at::Tensor& positions_LD, const PatchGrid& grid);

}  // namespace mimeo
