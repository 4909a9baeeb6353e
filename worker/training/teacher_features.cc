#include "worker/training/teacher_features.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/decode.h"
#include "job/job_shape.h"
#include "model/mask_plan.h"

namespace mimeo {
namespace {

// The evaluation crops of samples [begin, end), as a loader's batch would hold them.
Batch ReadCrops(const Dataset& dataset, const JobSpec& spec, int64_t begin, int64_t end) {
  std::vector<at::Tensor> crops;
  Batch batch;
  for (int64_t sample = begin; sample < end; ++sample) {
    const auto bytes = dataset.Read(sample);
    const auto pixels = bytes.ok() ? DecodeImage(*bytes, spec.data().max_pixels()) : absl::StatusOr<Pixels>(bytes.status());
    if (!pixels.ok()) continue;  // EmbedImages names it
    crops.push_back(EvaluationCrop(*pixels, CropShapeOf(spec.data())));
    batch.sample_ids.push_back(sample);
    batch.keys.push_back(RandomKey(spec.seed()).Fold("evaluation").Fold(static_cast<uint64_t>(sample)));
  }
  if (!crops.empty()) batch.views_BCHW = {at::stack(crops)};
  return batch;
}

}  // namespace

absl::StatusOr<Embeddings> EmbedByTeacher(const Dataset& dataset, const JobSpec& spec, const EmbedOptions& options, FeatureSource* teacher) {
  const std::string& objective = teacher->request().objectives.front();
  const int64_t first_patch = teacher->request().class_token ? 1 : 0;
  Embeddings embeddings;
  std::vector<at::Tensor> means;
  for (int64_t begin = options.begin; begin < options.end; begin += options.batch) {
    const Batch batch = ReadCrops(dataset, spec, begin, std::min<int64_t>(begin + options.batch, options.end));
    if (batch.sample_ids.empty()) continue;
    std::vector<ViewInput> views(1);
    views[0].images_BCHW = batch.views_BCHW[0];
    views[0].plan = AllVisible(batch.views_BCHW[0].size(0), NumPatches(spec), at::kCPU);
    RETURN_IF_ERROR(teacher->Attach(batch, absl::InfiniteFuture(), &views));
    means.push_back(views[0].teacher_BKT.at(objective).slice(1, first_patch).mean(1));
    for (const int64_t sample : batch.sample_ids) embeddings.labels.push_back(dataset.label(sample));
    embeddings.samples.insert(embeddings.samples.end(), batch.sample_ids.begin(), batch.sample_ids.end());
  }
  if (means.empty()) return absl::InvalidArgumentError("none of the images can be decoded");
  embeddings.patch_mean_ND = at::cat(means);
  return embeddings;
}

}  // namespace mimeo
