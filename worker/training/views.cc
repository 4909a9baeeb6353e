#include "worker/training/views.h"

#include <utility>

#include "job/job_shape.h"
#include "worker/training/side_stream.h"

namespace mimeo {

ViewMaker::ViewMaker(const JobSpec& spec, at::Device device)
    : mask_(spec.mask()),
      grid_{PatchRows(spec), PatchCols(spec), PatchPx(spec)},
      num_visible_(NumVisible(spec)),
      statistics_(StatisticsOf(spec.data())),
      device_(device) {}

RandomKey ViewMaker::MaskKey(const MaskSpec& mask, const RandomKey& row, int view) {
  return row.Fold("mask").Fold(mask.same_in_all_views() ? 0 : static_cast<uint64_t>(view));
}

std::vector<MaskPlan> ViewMaker::Plans(const Batch& batch, int view) const {
  if (mask_.has_focused()) return {MaskPlan()};
  if (mask_.has_none()) {
    const at::Tensor& images_BCHW = batch.views_BCHW[static_cast<size_t>(view)];
    const int64_t patches = (images_BCHW.size(2) / grid_.patch_px) * (images_BCHW.size(3) / grid_.patch_px);
    return {AllVisible(images_BCHW.size(0), static_cast<int>(patches), device_)};
  }
  std::vector<RandomKey> keys;
  for (const RandomKey& key : batch.keys) keys.push_back(MaskKey(mask_, key, view));
  std::vector<MaskPlan> plans;
  for (const MaskPlan& plan : DrawMaskPlans(mask_, grid_, num_visible_, keys)) plans.push_back(ToDevice(plan, device_));
  return plans;
}

ForwardPass ViewMaker::Make(const Batch& batch, const std::vector<double>& drop_path_rates) const {
  ForwardPass pass;
  for (size_t v = 0; v < batch.views_BCHW.size(); ++v) {
    const int view = static_cast<int>(v);
    const at::Tensor images_BCHW = NormalizePixels(CopyToDevice(batch.views_BCHW[v], device_), statistics_);
    const std::vector<MaskPlan> plans = Plans(batch, view);
    for (size_t g = 0; g < plans.size(); ++g) {
      std::vector<RandomKey> keys;
      for (const RandomKey& key : batch.keys) keys.push_back(key.Fold("encoding").Fold(v).Fold(g));
      ViewInput input;
      input.images_BCHW = images_BCHW;
      input.plan = plans[g];
      input.view = view;
      input.drop_path_BR = DropPathScales(keys, drop_path_rates);
      if (input.drop_path_BR.defined()) input.drop_path_BR = input.drop_path_BR.to(device_);
      pass.views.push_back(std::move(input));
    }
  }
  if (batch.shared_BCHW.defined()) {
    pass.shared_BCHW = NormalizePixels(CopyToDevice(batch.shared_BCHW, device_), statistics_);
  }
  return pass;
}

}  // namespace mimeo
