#include "job/job_shape.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>

#include "base/limits.h"

namespace mimeo {

int NumVisible(int num_patches, double hidden_fraction) {
  return static_cast<int>(num_patches * (1 - hidden_fraction));
}

namespace {

// The checks ask of specs whose numbers may be anything: a product that no int holds is the int nearest to it.
int Product(int64_t a, int64_t b) {
  const int64_t largest = std::numeric_limits<int>::max();
  return static_cast<int>(std::clamp(a * b, -largest, largest));
}

}  // namespace

std::vector<ViewSpec> EachView(const JobSpec& spec) {
  std::vector<ViewSpec> views;
  // The checks ask of specs whose counts may be anything.
  for (const ViewSpec& group : spec.views()) {
    const int room = limits::kViews - static_cast<int>(views.size());
    views.insert(views.end(), static_cast<size_t>(std::clamp(group.count(), 0, room)), group);
  }
  return views;
}

bool IsFullSize(const ViewSpec& view, const DataSpec& data) {
  return view.image_px() == data.image_px() && view.image_width_px() == data.image_width_px();
}

int PatchPx(const JobSpec& spec) {
  return spec.encoder().has_conv_vit() ? Product(4, spec.encoder().conv_vit().stem_px())
                                       : spec.encoder().vit().patch_px();
}

int PatchRows(const JobSpec& spec) { return spec.data().image_px() / PatchPx(spec); }
int PatchCols(const JobSpec& spec) { return spec.data().image_width_px() / PatchPx(spec); }
int NumPatches(const JobSpec& spec) { return Product(PatchRows(spec), PatchCols(spec)); }

int GridStride(const JobSpec& spec) {
  return static_cast<int>(std::lround(std::sqrt(1 / (1 - spec.mask().hidden_fraction()))));
}

int NumVisible(const JobSpec& spec) {
  const int unit = spec.mask().unit_patches();
  if (spec.mask().has_none()) return NumPatches(spec);
  if (spec.mask().has_grid()) return NumPatches(spec) / Product(GridStride(spec), GridStride(spec));
  const int squared = Product(unit, unit);
  return Product(NumVisible(NumPatches(spec) / squared, spec.mask().hidden_fraction()), squared);
}

bool MixesSamples(const JobSpec& spec) {
  return std::any_of(spec.objective().begin(), spec.objective().end(),
                     [](const ObjectiveSpec& objective) { return objective.has_contrastive(); });
}

int64_t StepsPerEpoch(const JobSpec& spec, int64_t num_samples) { return num_samples / spec.data().global_batch(); }

int64_t TotalSteps(const JobSpec& spec, int64_t num_samples) {
  if (spec.schedule().has_steps()) return spec.schedule().steps();
  const double steps = spec.schedule().epochs() * static_cast<double>(StepsPerEpoch(spec, num_samples));
  return std::max<int64_t>(1, static_cast<int64_t>(std::floor(steps)));
}

int64_t MicroBatch(const JobSpec& spec, int num_ranks) {
  const DataSpec& data = spec.data();
  const int64_t together = data.has_contrast_group() ? data.contrast_group() : data.global_batch();
  if (num_ranks < 1 || together < 1 || together % num_ranks != 0) return 0;
  const int64_t share = together / num_ranks;
  const int64_t bound = spec.resources().has_micro_batch() ? spec.resources().micro_batch() : share;
  if (share <= bound) return share;
  if (data.has_contrast_group()) return 0;
  int64_t micro_batch = std::max<int64_t>(bound, 0);
  while (micro_batch > 0 && share % micro_batch != 0) --micro_batch;
  return micro_batch;
}

int64_t AccumulationSteps(const JobSpec& spec, int num_ranks) {
  return spec.data().global_batch() / (num_ranks * MicroBatch(spec, num_ranks));
}

std::vector<std::string> TeacherNames(const JobSpec& spec) {
  std::set<std::string> names;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.has_mimic()) names.insert(objective.mimic().teacher());
  }
  if (spec.mask().has_focused()) names.insert(spec.mask().focused().teacher());
  return {names.begin(), names.end()};
}

}  // namespace mimeo
