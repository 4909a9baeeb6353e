#include "model/stage_places.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/index.h>
#include <ATen/ops/zeros.h>

#include "base/check.h"

namespace mimeo {
namespace {

class WholeImages final : public StagePlaces {
 public:
  WholeImages(const MaskPlan& plan, const PatchGrid& grid) : plan_(plan), grid_(grid) {
    if (plan.hidden_BM.size(1) == 0) return;
    hidden_BL_ = at::zeros({plan.visible_BK.size(0), grid.num_patches()}, plan.hidden_BM.options().dtype(at::kBool));
    hidden_BL_.scatter_(1, plan.hidden_BM, true);
  }

  at::Tensor Pixels(const at::Tensor& images_BCHW) const override {
    const at::Tensor x_BHWC = images_BCHW.permute({0, 2, 3, 1});
    return hidden_BL_.defined() ? x_BHWC.masked_fill(Hidden(grid_.patch_px), 0) : x_BHWC;
  }

  // By a product, which is faster than masked_fill: the features of hidden places are finite, since Pixels gave them
  // zeros.
  at::Tensor Spread(const at::Tensor& x_NHWC) const override {
    if (!hidden_BL_.defined()) return x_NHWC;
    return x_NHWC * Hidden(x_NHWC.size(1) / grid_.rows).logical_not().to(x_NHWC.scalar_type());
  }

  at::Tensor Collect(const at::Tensor& canvas_BHWC) const override { return canvas_BHWC; }

  at::Tensor VisibleTokens(const at::Tensor& x_NHWD) const override {
    return TakePatches(x_NHWD.flatten(1, 2), plan_.visible_BK);
  }

  at::Tensor PerImage(const at::Tensor& scale_B) const override { return scale_B.view({-1, 1, 1, 1}); }

 private:
  // (B, rows * side, cols * side, 1)
  at::Tensor Hidden(int64_t side) const {
    const int64_t batch = hidden_BL_.size(0);
    return hidden_BL_.view({batch, grid_.rows, 1, grid_.cols, 1})
        .expand({batch, grid_.rows, side, grid_.cols, side})
        .reshape({batch, grid_.rows * side, grid_.cols * side, 1});
  }

  const MaskPlan plan_;
  const PatchGrid grid_;
  at::Tensor hidden_BL_;  // undefined: nothing is hidden
};

class VisibleTiles final : public StagePlaces {
 public:
  VisibleTiles(const MaskPlan& plan, const PatchGrid& grid)
      : batch_(plan.visible_BK.size(0)),
        num_visible_(plan.visible_BK.size(1)),
        grid_(grid),
        image_B1_(at::arange(batch_, plan.visible_BK.options()).unsqueeze(1)),
        row_BK_(plan.visible_BK.floor_divide(grid.cols)),
        col_BK_(plan.visible_BK.remainder(grid.cols)) {}

  at::Tensor Pixels(const at::Tensor& images_BCHW) const override {
    const int64_t channels = images_BCHW.size(1), p = grid_.patch_px;
    return images_BCHW.view({batch_, channels, grid_.rows, p, grid_.cols, p})
        .permute({0, 2, 4, 3, 5, 1})
        .index({image_B1_, row_BK_, col_BK_})
        .flatten(0, 1);
  }

  at::Tensor Spread(const at::Tensor& x_NHWC) const override {
    const int64_t side = x_NHWC.size(1), channels = x_NHWC.size(3);
    return at::zeros({batch_ * grid_.rows * side * grid_.cols, side * channels}, x_NHWC.options())
        .index_copy(0, Lines(side), x_NHWC.reshape({-1, side * channels}))
        .view({batch_, grid_.rows * side, grid_.cols * side, channels});
  }

  at::Tensor Collect(const at::Tensor& canvas_BHWC) const override {
    const int64_t side = canvas_BHWC.size(1) / grid_.rows, channels = canvas_BHWC.size(3);
    return canvas_BHWC.reshape({-1, side * channels})
        .index_select(0, Lines(side))
        .view({batch_ * num_visible_, side, side, channels});
  }

  at::Tensor VisibleTokens(const at::Tensor& x_NHWD) const override {
    return x_NHWD.reshape({batch_, num_visible_, x_NHWD.size(3)});
  }

  at::Tensor PerImage(const at::Tensor& scale_B) const override {
    return scale_B.unsqueeze(1).expand({batch_, num_visible_}).reshape({-1, 1, 1, 1});
  }

 private:
  // A line of a tile is `side` places that lie one after the other in the canvas: these are its rows when it is seen as
  // (B * rows * side * cols, side * C). Copying lines costs less than copying places.
  at::Tensor Lines(int64_t side) const {
    const at::Tensor line = at::arange(side, row_BK_.options());
    const at::Tensor canvas_row_BKT = ((image_B1_ * grid_.rows + row_BK_) * side).unsqueeze(2) + line;
    return (canvas_row_BKT * grid_.cols + col_BK_.unsqueeze(2)).flatten();
  }

  const int64_t batch_, num_visible_;
  const PatchGrid grid_;
  const at::Tensor image_B1_, row_BK_, col_BK_;  // of each visible patch, in the grid
};

}  // namespace

std::unique_ptr<StagePlaces> MakeStagePlaces(StageEvaluation stages, const MaskPlan& plan, const PatchGrid& grid) {
  MIMEO_CHECK(stages != STAGES_UNSPECIFIED, "a resolved spec says how its stages are evaluated");
  if (stages == STAGES_DENSE || plan.hidden_BM.size(1) == 0) return std::make_unique<WholeImages>(plan, grid);
  return std::make_unique<VisibleTiles>(plan, grid);
}

}  // namespace mimeo
