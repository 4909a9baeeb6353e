#include "model/mask_plan.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace mimeo {
namespace {

at::Tensor RowOffsets(int64_t batch, int64_t stride, at::Device device) {
  return at::arange(0, batch * stride, stride, at::TensorOptions().dtype(at::kLong).device(device)).unsqueeze(1);
}

}  // namespace

MaskPlan PlanOfVisible(const std::vector<std::vector<int64_t>>& visible, int num_patches, int num_visible) {
  MIMEO_CHECK(0 <= num_visible && num_visible <= num_patches, "more visible patches than there are");
  const auto batch = static_cast<int64_t>(visible.size());
  MaskPlan plan{at::empty({batch, num_visible}, at::kLong), at::empty({batch, num_patches - num_visible}, at::kLong)};
  auto* seen = plan.visible_BK.data_ptr<int64_t>();
  auto* hidden = plan.hidden_BM.data_ptr<int64_t>();
  std::vector<bool> is_visible(num_patches);
  for (const std::vector<int64_t>& row : visible) {
    is_visible.assign(num_patches, false);
    for (const int64_t patch : row) is_visible[patch] = true;
    MIMEO_CHECK(std::count(is_visible.begin(), is_visible.end(), true) == num_visible,
                "K distinct patches of each image");
    for (int64_t patch = 0; patch < num_patches; ++patch) *(is_visible[patch] ? seen : hidden)++ = patch;
  }
  return plan;
}

MaskPlan RandomMaskPlan(absl::Span<const RandomKey> keys, int num_patches, int num_visible) {
  std::vector<std::vector<int64_t>> visible;
  for (const RandomKey& key : keys) {
    visible.push_back(key.Permutation(num_patches));
    visible.back().resize(num_visible);
  }
  return PlanOfVisible(visible, num_patches, num_visible);
}

MaskPlan AllVisible(int64_t batch, int num_patches, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kLong).device(device);
  return {at::arange(num_patches, options).unsqueeze(0).expand({batch, num_patches}).contiguous(),
          at::empty({batch, 0}, options)};
}

MaskPlan ToDevice(const MaskPlan& plan, at::Device device) {
  return {plan.visible_BK.to(device), plan.hidden_BM.to(device)};
}

at::Tensor TakePatches(const at::Tensor& patches_BLX, const at::Tensor& index_BK) {
  const int64_t batch = patches_BLX.size(0), num_patches = patches_BLX.size(1), values = patches_BLX.size(2);
  const at::Tensor rows = index_BK + RowOffsets(batch, num_patches, index_BK.device());
  return patches_BLX.reshape({batch * num_patches, values})
      .index_select(0, rows.reshape(-1))
      .view({batch, index_BK.size(1), values});
}

at::Tensor PlacePatches(const at::Tensor& visible_BKX, const at::Tensor& hidden_token_X, const MaskPlan& plan) {
  const int64_t batch = visible_BKX.size(0), values = visible_BKX.size(2), num_hidden = plan.hidden_BM.size(1);
  const at::Tensor hidden_BMX = hidden_token_X.to(visible_BKX.scalar_type()).expand({batch, num_hidden, values});
  // The inverse permutation.
  const at::Tensor place_BL = at::cat({plan.visible_BK, plan.hidden_BM}, 1).argsort(int64_t{1}, false);
  return TakePatches(at::cat({visible_BKX, hidden_BMX}, 1), place_BL);
}

}  // namespace mimeo
