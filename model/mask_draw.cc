// How the kinds of masks are drawn: what model/mask_plan.h says of DrawMaskPlans and FocusedMaskPlan.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "base/check.h"
#include "model/mask_plan.h"

namespace mimeo {
namespace {

// Squares of patches that are hidden or visible as a whole; with one patch a side, the patches themselves.
struct UnitGrid {
  int rows = 0;
  int cols = 0;
  int size() const { return rows * cols; }
};

// Which units are hidden so far. Numbers come from `key` at a counter that goes on.
class BlockDrawing {
 public:
  BlockDrawing(const UnitGrid& grid, const RandomKey& key) : grid_(grid), key_(key), hidden_(grid.size(), false) {}

  void HideRectangles(int min_units, double min_aspect, int num_hidden) {
    while (num_hidden_ < num_hidden && num_hidden - num_hidden_ >= min_units) {
      if (!HideRectangle(min_units, min_aspect, num_hidden - num_hidden_)) return;
    }
  }

  void HideOneByOne(int num_hidden) {
    for (const int64_t unit : key_.Fold("one by one").Permutation(grid_.size())) {
      if (num_hidden_ == num_hidden) return;
      if (hidden_[unit]) continue;
      hidden_[unit] = true;
      ++num_hidden_;
    }
  }

  std::vector<int64_t> Visible() const {
    std::vector<int64_t> visible;
    for (int64_t unit = 0; unit < grid_.size(); ++unit) {
      if (!hidden_[unit]) visible.push_back(unit);
    }
    return visible;
  }

 private:
  bool HideRectangle(int min_units, double min_aspect, int most) {
    constexpr int kTries = 10;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      const double area = min_units + key_.Uniform(counter_++) * (most - min_units);
      const double aspect = std::exp((2 * key_.Uniform(counter_++) - 1) * -std::log(min_aspect));
      const int height = static_cast<int>(std::lround(std::sqrt(area * aspect)));
      const int width = static_cast<int>(std::lround(std::sqrt(area / aspect)));
      const int64_t top_counter = counter_++, left_counter = counter_++;
      if (height > grid_.rows || width > grid_.cols || height * width < min_units) continue;
      const auto top = static_cast<int>(key_.Below(grid_.rows - height + 1, top_counter));
      const auto left = static_cast<int>(key_.Below(grid_.cols - width + 1, left_counter));
      if (Hide(top, left, height, width, most)) return true;
    }
    return false;
  }

  // Unless that hides nothing new, or more than `most`.
  bool Hide(int top, int left, int height, int width, int most) {
    std::vector<int> added;
    for (int row = top; row < top + height; ++row) {
      for (int col = left; col < left + width; ++col) {
        if (!hidden_[row * grid_.cols + col]) added.push_back(row * grid_.cols + col);
      }
    }
    if (added.empty() || static_cast<int>(added.size()) > most) return false;
    for (const int unit : added) hidden_[unit] = true;
    num_hidden_ += static_cast<int>(added.size());
    return true;
  }

  const UnitGrid grid_;
  const RandomKey key_;
  uint64_t counter_ = 0;
  std::vector<bool> hidden_;
  int num_hidden_ = 0;
};

std::vector<int64_t> BlockVisible(const MaskSpec& spec, const UnitGrid& grid, int num_visible, const RandomKey& key) {
  const int unit_area = spec.unit_patches() * spec.unit_patches();
  const int min_units = (spec.block().min_patches() + unit_area - 1) / unit_area;
  const int num_hidden = grid.size() - num_visible;
  BlockDrawing drawing(grid, key);
  drawing.HideRectangles(min_units, spec.block().min_aspect(), num_hidden);
  drawing.HideOneByOne(num_hidden);
  return drawing.Visible();
}

std::vector<int64_t> GridVisible(const UnitGrid& grid, int num_visible) {
  // One of every stride x stride.
  const auto stride = static_cast<int>(std::lround(std::sqrt(grid.size() / num_visible)));
  std::vector<int64_t> visible;
  for (int row = 0; row < grid.rows; row += stride) {
    for (int col = 0; col < grid.cols; col += stride) visible.push_back(int64_t{row} * grid.cols + col);
  }
  MIMEO_CHECK(static_cast<int>(visible.size()) == num_visible, "one visible unit of every square");
  return visible;
}

// The units of one image, the visible ones of the first group first, then those of the next.
std::vector<int64_t> VisibleFirst(const MaskSpec& spec, const UnitGrid& grid, int num_visible, const RandomKey& key) {
  switch (spec.kind_case()) {
    case MaskSpec::kRandom:
      return key.Permutation(grid.size());
    case MaskSpec::kBlock:
      return BlockVisible(spec, grid, num_visible, key);
    case MaskSpec::kGrid:
      return GridVisible(grid, num_visible);
    default:
      break;
  }
  MIMEO_CHECK(false, "a mask of kind ", static_cast<int>(spec.kind_case()), " is not drawn from keys alone");
  return {};
}

std::vector<int64_t> PatchesOf(const std::vector<int64_t>& units, const UnitGrid& grid, int unit_patches) {
  const int64_t patch_cols = int64_t{grid.cols} * unit_patches;
  std::vector<int64_t> patches;
  for (const int64_t unit : units) {
    const int64_t top = unit / grid.cols * unit_patches, left = unit % grid.cols * unit_patches;
    for (int64_t row = top; row < top + unit_patches; ++row) {
      for (int64_t col = left; col < left + unit_patches; ++col) patches.push_back(row * patch_cols + col);
    }
  }
  return patches;
}

// Larger is drawn earlier: log p + G with G = -log(-log(U)), Gumbel's distribution.
std::vector<double> Scores(const float* attention, int64_t num_patches, const RandomKey* key) {
  constexpr double kFloor = 1e-6;  // every patch can be drawn
  std::vector<double> scores;
  for (int64_t patch = 0; patch < num_patches; ++patch) {
    // In this order of arguments NaN becomes 0: what a teacher sends must not upset the sort.
    const double share = std::max(0.0, static_cast<double>(attention[patch]));
    scores.push_back(key == nullptr ? share : std::log(share + kFloor) - std::log(-std::log(key->Uniform(patch))));
  }
  return scores;
}

}  // namespace

std::vector<MaskPlan> DrawMaskPlans(const MaskSpec& spec, const PatchGrid& grid, int num_visible,
                                    absl::Span<const RandomKey> keys) {
  if (spec.has_none()) return {AllVisible(static_cast<int64_t>(keys.size()), grid.num_patches(), at::kCPU)};
  const int unit = spec.unit_patches(), groups = spec.groups();
  MIMEO_CHECK(unit > 0 && groups > 0, "a resolved mask");
  const UnitGrid units{grid.rows / unit, grid.cols / unit};
  const int visible_units = num_visible / (unit * unit);
  MIMEO_CHECK(units.rows * unit == grid.rows && units.cols * unit == grid.cols &&
                  visible_units * unit * unit == num_visible && groups * visible_units <= units.size() &&
                  (groups == 1 || spec.has_random()),
              "whole units, and enough of them for every group");
  std::vector<std::vector<std::vector<int64_t>>> visible(groups);  // by group and image
  for (const RandomKey& key : keys) {
    const std::vector<int64_t> order = VisibleFirst(spec, units, visible_units, key);
    for (int group = 0; group < groups; ++group) {
      const auto begin = order.begin() + group * visible_units;
      visible[group].push_back(PatchesOf({begin, begin + visible_units}, units, unit));
    }
  }
  std::vector<MaskPlan> plans;
  for (const auto& rows : visible) plans.push_back(PlanOfVisible(rows, grid.num_patches(), num_visible));
  return plans;
}

MaskPlan FocusedMaskPlan(absl::Span<const RandomKey> keys, const at::Tensor& attention_BL, int num_visible,
                         bool most_attended) {
  const auto batch = static_cast<int64_t>(keys.size());
  MIMEO_CHECK(attention_BL.dim() == 2 && attention_BL.size(0) == batch, "a row of attention per key");
  const int64_t num_patches = attention_BL.size(1);
  MIMEO_CHECK(0 <= num_visible && num_visible <= num_patches, "more visible patches than there are");
  const at::Tensor rows_BL = attention_BL.contiguous();
  const float* attention = rows_BL.const_data_ptr<float>();
  std::vector<std::vector<int64_t>> visible;
  for (const RandomKey& key : keys) {
    const std::vector<double> scores = Scores(attention, num_patches, most_attended ? nullptr : &key);
    attention += num_patches;
    std::vector<int64_t> order(num_patches);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return scores[a] > scores[b]; });
    order.resize(num_visible);
    visible.push_back(std::move(order));
  }
  return PlanOfVisible(visible, static_cast<int>(num_patches), num_visible);
}

}  // namespace mimeo
