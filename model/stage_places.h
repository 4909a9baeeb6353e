// Where the convolution stages of MCMAE are evaluated. One thread at a time.
//
// Both ways show the stages a batch of channel-last images (N, h, w, C). These are the whole images (N = B), or each
// visible patch as a small image of its own, a tile (N = B * K). All that a stage does is local to a patch except for
// its 5 x 5 depthwise convolutions, which look two places beyond it. So those alone run on a canvas, and no other code
// knows which way was chosen.
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

  // (B, C, H, W) -> (N, h, w, C). Hidden pixels do not get in: whole images have zeros there, so that a hidden pixel,
  // even if it is NaN, meets no arithmetic.
  virtual at::Tensor Pixels(const at::Tensor& images_BCHW) const = 0;

  // Takes (N, h, w, C) to the canvas (B, H, W, C), which has the features where patches are visible and 0 where they
  // are hidden.
  virtual at::Tensor Spread(const at::Tensor& x_NHWC) const = 0;
  // Takes the canvas (B, H, W, C) back to (N, h, w, C).
  virtual at::Tensor Collect(const at::Tensor& canvas_BHWC) const = 0;

  // Takes features with one place per patch, (N, h, w, D), to (B, K, D); row k belongs to plan.visible_BK[:, k].
  virtual at::Tensor VisibleTokens(const at::Tensor& x_NHWD) const = 0;

  // Spreads one number per image, (B), to (N, 1, 1, 1).
  virtual at::Tensor PerImage(const at::Tensor& scale_B) const = 0;
};

// With STAGES_AT_VISIBLE_TILES whole images are taken where nothing is hidden: that is the same work without the
// copies.
std::unique_ptr<StagePlaces> MakeStagePlaces(StageEvaluation stages, const MaskPlan& plan, const PatchGrid& grid);

}  // namespace mimeo
