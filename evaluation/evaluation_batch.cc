#include "evaluation/evaluation_batch.h"

#include "base/random_key.h"
#include "job/job_shape.h"

namespace mimeo {

std::vector<CropShape> ViewShapes(const JobSpec& spec) {
  std::vector<CropShape> shapes = {CropShapeOf(spec.data())};
  for (const ViewSpec& view : EachView(spec)) {
    if (!IsFullSize(view, spec.data())) shapes.push_back(CropShapeOf(view, spec.data()));
  }
  return shapes;
}

Batch MakeEvaluationBatch(const JobSpec& spec, const CropBatch& crops) {
  Batch batch;
  if (crops.samples.empty()) return batch;
  batch.sample_ids = crops.samples;
  const RandomKey key = RandomKey(spec.seed()).Fold("evaluation");
  for (const int64_t sample : crops.samples) batch.keys.push_back(key.Fold(static_cast<uint64_t>(sample)));
  batch.shared_BCHW = crops.Of(CropShapeOf(spec.data()));
  for (const ViewSpec& view : EachView(spec)) batch.views_BCHW.push_back(crops.Of(CropShapeOf(view, spec.data())));
  return batch;
}

}  // namespace mimeo
