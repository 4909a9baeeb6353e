#include "evaluation/evaluation_batch.h"

#include <ATen/ops/stack.h>

#include <string>
#include <utility>

#include "base/status_macros.h"
#include "data/augment.h"
#include "data/decode.h"
#include "evaluation/embedding.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"

namespace mimeo {
namespace {

// Of one image.
struct Crops {
  at::Tensor shared_CHW;
  std::vector<at::Tensor> views_CHW;  // undefined: the view is full-size, as shared_CHW is
};

absl::StatusOr<Crops> ReadCrops(const Dataset& dataset, const JobSpec& spec, const std::vector<ViewSpec>& views,
                                int64_t sample) {
  ASSIGN_OR_RETURN(const std::string bytes, dataset.Read(sample));
  ASSIGN_OR_RETURN(const Pixels pixels, DecodeImage(bytes, spec.data().max_pixels()));
  Crops crops;
  crops.shared_CHW = EvaluationCrop(pixels, CropShapeOf(spec.data()));
  for (const ViewSpec& view : views) {
    crops.views_CHW.push_back(IsFullSize(view, spec.data()) ? at::Tensor()
                                                            : EvaluationCrop(pixels, CropShapeOf(view, spec.data())));
  }
  return crops;
}

}  // namespace

absl::StatusOr<Batch> ReadEvaluationBatch(const Dataset& dataset, const JobSpec& spec,
                                          const std::vector<int64_t>& samples) {
  const std::vector<ViewSpec> views = EachView(spec);
  Batch batch;
  std::vector<at::Tensor> shared;
  std::vector<std::vector<at::Tensor>> small(views.size());  // by view; empty: it is full-size
  for (const int64_t sample : samples) {
    const absl::StatusOr<Crops> crops = CatchTorch([&] { return ReadCrops(dataset, spec, views, sample); });
    if (!crops.ok() && IsBadImage(crops.status())) continue;  // the embedding names it
    RETURN_IF_ERROR(crops.status());
    shared.push_back(crops->shared_CHW);
    for (size_t v = 0; v < views.size(); ++v) {
      if (crops->views_CHW[v].defined()) small[v].push_back(crops->views_CHW[v]);
    }
    batch.sample_ids.push_back(sample);
    batch.keys.push_back(RandomKey(spec.seed()).Fold("evaluation").Fold(static_cast<uint64_t>(sample)));
  }
  if (shared.empty()) return batch;
  RETURN_IF_ERROR(CatchTorch([&] {
    batch.shared_BCHW = at::stack(shared);
    for (const std::vector<at::Tensor>& view : small) {
      batch.views_BCHW.push_back(view.empty() ? batch.shared_BCHW : at::stack(view));
    }
  }));
  return batch;
}

}  // namespace mimeo
