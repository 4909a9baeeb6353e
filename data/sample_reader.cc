#include "data/sample_reader.h"

#include <algorithm>
#include <string>

#include "base/status_macros.h"
#include "data/augment.h"
#include "data/color.h"
#include "data/decode.h"

namespace mimeo {
namespace {

Rect SmallestAround(const std::vector<CropPlan>& plans) {
  int left = plans[0].crop.left;
  int top = plans[0].crop.top;
  int right = left;
  int bottom = top;
  for (const CropPlan& plan : plans) {
    left = std::min(left, plan.crop.left);
    top = std::min(top, plan.crop.top);
    right = std::max(right, plan.crop.left + plan.crop.width);
    bottom = std::max(bottom, plan.crop.top + plan.crop.height);
  }
  return {left, top, right - left, bottom - top};
}

}  // namespace

bool WantsSharedTarget(const JobSpec& spec) {
  return std::any_of(spec.objective().begin(), spec.objective().end(), [](const ObjectiveSpec& objective) {
    return objective.has_reconstruction() && objective.reconstruction().target_view() == TARGET_VIEW_SHARED;
  });
}

RandomKey SampleReader::KeyOf(int64_t epoch, int64_t sample) const {
  return RandomKey(spec_.seed()).Fold("sample").Fold(static_cast<uint64_t>(epoch)).Fold(static_cast<uint64_t>(sample));
}

absl::Status SampleReader::Read(int64_t epoch, int64_t sample, const std::vector<uint8_t*>& views_CHW,
                                uint8_t* shared_CHW) const {
  ASSIGN_OR_RETURN(const std::string encoded, dataset_->Read(sample));
  ASSIGN_OR_RETURN(const ImageSize size, ReadImageSize(encoded));
  const RandomKey key = KeyOf(epoch, sample).Fold("crop");
  std::vector<CropPlan> plans;
  for (size_t view = 0; view < views_CHW.size(); ++view) {
    plans.push_back(RandomCropPlan(size, views_[view], key.Fold(view)));
  }
  const Rect around = shared_CHW != nullptr ? Rect{0, 0, size.width, size.height} : SmallestAround(plans);
  ASSIGN_OR_RETURN(const Pixels pixels, DecodeCrop(encoded, around, spec_.data().max_pixels()));
  if (shared_CHW != nullptr) EvaluationCropInto(pixels, CropShapeOf(spec_.data()), shared_CHW);
  for (size_t view = 0; view < plans.size(); ++view) {
    MakeView(view, pixels, around, plans[view], key.Fold(view), views_CHW[view]);
  }
  return absl::OkStatus();
}

void SampleReader::MakeView(size_t view, const Pixels& pixels, const Rect& around, const CropPlan& plan,
                            const RandomKey& key, uint8_t* out_CHW) const {
  const CropShape shape = CropShapeOf(views_[view], spec_.data());
  const Interpolation interpolation = views_[view].interpolation();
  const Rect& crop = plan.crop;
  if (crop.width == around.width &&
      crop.height == around.height) {  // the only view, or one that covers all: nothing to cut
    ResizeCropInto(pixels, shape, plan.flip, interpolation, out_CHW);
  } else {
    const Pixels cut = CutPixels(pixels, {crop.left - around.left, crop.top - around.top, crop.width, crop.height});
    ResizeCropInto(cut, shape, plan.flip, interpolation, out_CHW);
  }
  if (views_[view].has_color()) ApplyColor(DrawColorPlan(views_[view].color(), key.Fold("color")), shape, out_CHW);
}

}  // namespace mimeo
