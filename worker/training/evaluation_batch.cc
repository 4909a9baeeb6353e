#include "worker/training/evaluation_batch.h"

#include <ATen/ops/stack.h>

#include <vector>

#include "data/augment.h"
#include "data/decode.h"
#include "job/job_shape.h"

namespace mimeo {

Batch ReadEvaluationBatch(const Dataset& dataset, const JobSpec& spec, int64_t begin, int64_t end) {
  const std::vector<ViewSpec> views = EachView(spec);
  Batch batch;
  std::vector<at::Tensor> crops;
  std::vector<std::vector<at::Tensor>> small(views.size());  // by view; empty: it is full-size
  for (int64_t sample = begin; sample < end; ++sample) {
    const auto bytes = dataset.Read(sample);
    const auto pixels = bytes.ok() ? DecodeImage(*bytes, spec.data().max_pixels()) : absl::StatusOr<Pixels>(bytes.status());
    if (!pixels.ok()) continue;  // EmbedImages names it
    crops.push_back(EvaluationCrop(*pixels, CropShapeOf(spec.data())));
    for (size_t v = 0; v < views.size(); ++v) {
      if (!IsFullSize(views[v], spec.data())) small[v].push_back(EvaluationCrop(*pixels, CropShapeOf(views[v], spec.data())));
    }
    batch.sample_ids.push_back(sample);
    batch.keys.push_back(RandomKey(spec.seed()).Fold("evaluation").Fold(static_cast<uint64_t>(sample)));
  }
  if (crops.empty()) return batch;
  batch.shared_BCHW = at::stack(crops);
  for (const std::vector<at::Tensor>& view : small) batch.views_BCHW.push_back(view.empty() ? batch.shared_BCHW : at::stack(view));
  return batch;
}

}  // namespace mimeo
