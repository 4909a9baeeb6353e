// Which patches the encoder sees. Index lists are the only representation of a mask in this repository: a 0/1 tensor
// leaves "1 means what?" to every reader. Pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/random_key.h"
#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

// K and M are the same for all images of a batch; together they are a partition of [0, L).
struct MaskPlan {
  at::Tensor visible_BK;  // int64, ascending
  at::Tensor hidden_BM;   // int64, ascending
};

// The masks of one view of each image, one key per image: spec.groups of them, whose visible patches are disjoint; each
// a function of its key alone. REQUIRES: a resolved spec that is not focused; whole units, and for a grid whole squares
// of them.
//   random   one shuffle of the units per image; group g takes [g * K, (g + 1) * K) of it (FastConvMAE, arXiv
//   2205.03892). block    BEiT's algorithm 1 (arXiv 2106.08254) and its ten tries per rectangle, whose area is uniform
//   between min_patches
//            (rounded up to units) and what is still to hide. What no rectangle fits is hidden unit by unit, uniformly.
//   grid     of every s x s units the first stays visible (MAE, table 1f).
std::vector<MaskPlan> DrawMaskPlans(const MaskSpec& spec, const PatchGrid& grid, int num_visible,
                                    absl::Span<const RandomKey> keys);

// Visible are patches drawn one after the other without replacement, each with probability proportional to attention +
// 1e-6 among those left; as Gumbel top-k (arXiv 1903.06059), so that an image's plan is a function of its key and its
// attention. With `most_attended` nothing is drawn: the largest, of equals the first. `attention_BL`: float32 on the
// CPU; what is not a positive number counts as 0.
MaskPlan FocusedMaskPlan(absl::Span<const RandomKey> keys, const at::Tensor& attention_BL, int num_visible,
                         bool most_attended);

// From each image's visible patches, in any order. REQUIRES: `num_visible` different ones for each image.
MaskPlan PlanOfVisible(const std::vector<std::vector<int64_t>>& visible, int num_patches, int num_visible);

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
