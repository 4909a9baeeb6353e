// Which patches the encoder sees. Index lists are the only representation of a mask in this repository: a 0/1 tensor leaves
// "1 means what?" to every reader. Pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include "absl/types/span.h"
#include "base/random_key.h"

namespace mimeo {

// K and M are the same for all images of a batch; together they are a partition of [0, L).
struct MaskPlan {
  at::Tensor visible_BK;  // int64, ascending
  at::Tensor hidden_BM;   // int64, ascending
};

// Uniform without replacement, one key per image.
MaskPlan RandomMaskPlan(absl::Span<const RandomKey> keys, int num_patches, int num_visible);

// Everything visible: evaluation, teachers.
MaskPlan AllVisible(int64_t batch, int num_patches, at::Device device);

MaskPlan ToDevice(const MaskPlan& plan, at::Device device);

// (B, L, X), (B, K) -> (B, K, X)
at::Tensor TakePatches(const at::Tensor& patches_BLX, const at::Tensor& index_BK);

// Inverse of TakePatches: (B, L, X) with `hidden_token_X` at hidden places.
at::Tensor PlacePatches(const at::Tensor& visible_BKX, const at::Tensor& hidden_token_X, const MaskPlan& plan);

}  // namespace mimeo
