// Which patches the encoder sees. Lists of indices are the only form of a mask in this repository, because a tensor of
// 0 and 1 leaves every reader with the question what 1 means. Pure functions.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/random_key.h"
#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

// The patches of each image, split in two: together the lists are a partition of [0, L). K and M are the same for all
// images of a batch.
struct MaskPlan {
  at::Tensor visible_BK;  // int64, ascending
  at::Tensor hidden_BM;   // int64, ascending
};

// Draws the masks of one view of each image, with one key per image. It gives spec.groups plans, whose visible patches
// are disjoint, and each is a function of its key alone. REQUIRES: a resolved spec whose mask is not focused;
// num_visible is made of whole units and, for a grid, of whole squares of units.
//
//   random   One shuffle of the units per image, of which group g takes [g * K, (g + 1) * K). FastConvMAE
//            (arXiv 2205.03892) makes its complementary masks so.
//   block    BEiT's algorithm 1 (arXiv 2106.08254), with its ten tries for each rectangle, whose area is drawn between
//            min_patches (rounded up to units) and what is still to hide. Where no rectangle fits, the rest is hidden
//            unit by unit, uniformly.
//   grid     The first of every s x s units stays visible (MAE, arXiv 2111.06377, table 1f).
std::vector<MaskPlan> DrawMaskPlans(const MaskSpec& spec, const PatchGrid& grid, int num_visible,
                                    absl::Span<const RandomKey> keys);

// Draws the visible patches one after the other without replacement, each with a probability proportional to its
// attention + 1e-6 among those that are left. It does so by Gumbel top-k (arXiv 1903.06059), so an image's plan is a
// function of its key and its attention alone. With `most_attended` nothing is drawn: the largest are taken, and of
// equal ones the first. `attention_BL` is float32 on the CPU; a value that is not a positive number, NaN included,
// counts as 0.
MaskPlan FocusedMaskPlan(absl::Span<const RandomKey> keys, const at::Tensor& attention_BL, int num_visible,
                         bool most_attended);

// The plan in which these are each image's visible patches, which may stand in any order. int64 on the CPU. REQUIRES:
// `num_visible` different ones for each image.
MaskPlan PlanOfVisible(const std::vector<std::vector<int64_t>>& visible, int num_patches, int num_visible);

// Visible patches drawn uniformly without replacement, with one key per image.
MaskPlan RandomMaskPlan(absl::Span<const RandomKey> keys, int num_patches, int num_visible);

// Everything is visible, as in evaluation and for teachers.
MaskPlan AllVisible(int64_t batch, int num_patches, at::Device device);

MaskPlan ToDevice(const MaskPlan& plan, at::Device device);

// Gathers the rows that `index_BK` names: (B, L, X) -> (B, K, X), in its order.
at::Tensor TakePatches(const at::Tensor& patches_BLX, const at::Tensor& index_BK);

// The inverse of TakePatches: (B, L, X) in raster order, with `hidden_token_X` at hidden places.
at::Tensor PlacePatches(const at::Tensor& visible_BKX, const at::Tensor& hidden_token_X, const MaskPlan& plan);

}  // namespace mimeo
