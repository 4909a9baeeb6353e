// Where the convolution stages of MCMAE are evaluated. One thread.
//
// Both ways show the stages a batch of channel-last images (N, h, w, C): the whole images (N = B), or each visible
// patch as a small image of its own (a tile, N = B * K). All that a stage does is local to a patch but its 5 x 5
// depthwise convolutions, which look two places beyond; so those run on a canvas, and nothing else knows which way was
// chosen.
//
// A tile is patch_px pixels wide, then 4 places of the first stage, 2 of the second, and at last 1.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "model/mask_plan.h"
#include "model/shapes.h"
#include "proto/job.pb.h"

namespace mimeo {

class StagePlaces {
 public:
  virtual ~StagePlaces() = default;

  // (B, C, H, W) -> (N, h, w, C). Hidden pixels are not read; whole images have zeros there, so that whatever a hidden
  // pixel is, NaN included, it meets no arithmetic.
  virtual at::Tensor Pixels(const at::Tensor& images_BCHW) const = 0;

  // (N, h, w, C) -> the canvas (B, H, W, C): what the features are where visible, 0 where hidden.
  virtual at::Tensor Spread(const at::Tensor& x_NHWC) const = 0;
  // The canvas (B, H, W, C) -> (N, h, w, C).
  virtual at::Tensor Collect(const at::Tensor& canvas_BHWC) const = 0;

  // Features of whole patches (tile side 1): (N, h, w, D) -> (B, K, D), row k of plan.visible_BK[:, k].
  virtual at::Tensor VisibleTokens(const at::Tensor& x_NHWD) const = 0;

  // One number per image (B) -> (N, 1, 1, 1).
  virtual at::Tensor PerImage(const at::Tensor& scale_B) const = 0;
};

// STAGES_AT_VISIBLE_TILES takes whole images where nothing is hidden: the same work without the copies.
std::unique_ptr<StagePlaces> MakeStagePlaces(StageEvaluation stages, const MaskPlan& plan, const PatchGrid& grid);

}  // namespace mimeo
