// Makes a batch of crops into what the encoder is given: normalised pixels and mask plans, each of which is a function
// of its row's key. So they do not depend on the rank or on the order of rows. Any thread may call it.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "data/loader.h"
#include "model/encoder.h"
#include "model/mask_plan.h"
#include "model/patches.h"
#include "objective/objective.h"
#include "proto/job.pb.h"

namespace mimeo {

// It moves the crops to the device as bytes and normalises them there, because bytes are a quarter of the floats.
class ViewMaker {
 public:
  // REQUIRES: a resolved spec.
  ViewMaker(const JobSpec& spec, at::Device device);

  // Returns one ViewInput for each view and each of its masks, with views outermost, on the device. A focused mask's
  // plan is left undefined, because the teacher draws it (teacher/feature_source.h). `drop_path_rates` are the
  // encoder's in training, and empty in evaluation.
  ForwardPass Make(const Batch& batch, const std::vector<double>& drop_path_rates) const;

  // The key that a view's masks are drawn with. Teachers that draw masks use it too, so they draw what a rank would.
  static RandomKey MaskKey(const MaskSpec& mask, const RandomKey& row, int view);

 private:
  std::vector<MaskPlan> Plans(const Batch& batch, int view) const;  // undefined where a teacher draws them

  const MaskSpec mask_;
  const PatchGrid grid_;  // of a full-size view
  // K of a full-size view.
  const int num_visible_;
  const PixelStatistics statistics_;
  const at::Device device_;
};

}  // namespace mimeo
