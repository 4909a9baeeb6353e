#include "evaluation/teacher_features.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "data/spread_sample.h"
#include "evaluation/evaluation_batch.h"
#include "job/job_shape.h"
#include "model/catch_torch.h"
#include "model/mask_plan.h"
#include "teacher/attach_or_stop.h"

namespace mimeo {
namespace {

// With which all of a crop's patches are asked for.
MaskPlan PlanOfAll(int64_t batch, int num_patches, MimicTokens tokens) {
  MaskPlan plan = AllVisible(batch, num_patches, at::kCPU);
  if (tokens == MIMIC_TOKENS_HIDDEN) std::swap(plan.visible_BK, plan.hidden_BM);
  return plan;
}

}  // namespace

absl::StatusOr<Embeddings> EmbedByTeacher(const Dataset& dataset, const JobSpec& spec, const EmbedOptions& options,
                                          FeatureSource* teacher) {
  return CatchTorch([&]() -> absl::StatusOr<Embeddings> {
    const std::string& objective = teacher->request().objectives.front();
    const int64_t first_patch = teacher->request().wish.class_token() ? 1 : 0;
    const auto stop_wanted = [&options] { return options.stop_wanted && options.stop_wanted(); };
    const std::vector<int64_t> samples = options.samples.has_value() ? *options.samples : AllSamples(dataset);
    const auto all = static_cast<int64_t>(samples.size());
    Embeddings embeddings;
    std::vector<at::Tensor> means;
    for (int64_t first = 0; first < all; first += options.batch) {
      const int64_t last = std::min<int64_t>(first + options.batch, all);
      ASSIGN_OR_RETURN(const Batch batch,
                       ReadEvaluationBatch(dataset, spec, {samples.begin() + first, samples.begin() + last}));
      if (batch.sample_ids.empty()) continue;
      std::vector<ViewInput> views(1);
      views[0].images_BCHW = batch.views_BCHW[0];  // the first group is full-size
      views[0].plan = PlanOfAll(batch.views_BCHW[0].size(0), NumPatches(spec), teacher->request().tokens);
      RETURN_IF_ERROR(AttachOrStop(teacher, batch, stop_wanted, &views));
      means.push_back(views[0].teacher_BNT.at(objective).slice(1, first_patch).mean(1));
      for (const int64_t sample : batch.sample_ids) embeddings.labels.push_back(dataset.label(sample));
      embeddings.samples.insert(embeddings.samples.end(), batch.sample_ids.begin(), batch.sample_ids.end());
      if (options.progress) options.progress(last, all);
    }
    embeddings.patch_mean_ND = means.empty() ? at::empty({0, teacher->width()}, at::kFloat) : at::cat(means);
    return embeddings;
  });
}

}  // namespace mimeo
