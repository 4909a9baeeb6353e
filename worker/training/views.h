// A batch of crops -> what the encoder is given: normalised pixels and mask plans, each a function of its row's key.
// One thread.
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

class ViewMaker {
 public:
  // REQUIRES: a resolved spec.
  ViewMaker(const JobSpec& spec, at::Device device);

  // One ViewInput for each view and each of its masks, views outermost. A focused mask's plan is left undefined: the
  // teacher draws it (teacher/feature_source.h). `drop_path_rates`: the encoder's in training, none in evaluation.
  ForwardPass Make(const Batch& batch, const std::vector<double>& drop_path_rates) const;

  // The key that a view's masks are drawn with.
  static RandomKey MaskKey(const MaskSpec& mask, const RandomKey& row, int view);

 private:
  std::vector<MaskPlan> Plans(const Batch& batch, int view) const;  // undefined where a teacher draws

  const MaskSpec mask_;
  const PatchGrid grid_;  // of a full-size view
  const int num_visible_;
  const PixelStatistics statistics_;
  const at::Device device_;
};

}  // namespace mimeo
