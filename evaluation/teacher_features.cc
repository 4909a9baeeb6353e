#include "evaluation/teacher_features.h"

#include <ATen/TensorOperators.h>

#include <utility>

#include "base/status_macros.h"
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

bool TeacherEmbedder::CanEmbed(const FeatureSource& teacher) {
  return !teacher.request().objectives.empty() && !teacher.request().draws_masks();
}

TeacherEmbedder::TeacherEmbedder(const JobSpec& spec, FeatureSource* teacher, std::function<bool()> stop_wanted)
    : shape_(CropShapeOf(spec.data())),
      num_patches_(NumPatches(spec)),
      teacher_(teacher),
      stop_wanted_(std::move(stop_wanted)) {}

absl::Status TeacherEmbedder::Use(const CropBatch& batch) {
  if (batch.samples.empty()) return absl::OkStatus();
  return CatchTorch([&] { return Ask(batch); });
}

absl::Status TeacherEmbedder::Ask(const CropBatch& crops) {
  // One view, whatever the job's are. It has no keys: nothing is drawn.
  Batch batch;
  batch.sample_ids = crops.samples;
  batch.views_BCHW = {crops.Of(shape_)};
  std::vector<ViewInput> views(1);
  views[0].images_BCHW = batch.views_BCHW[0];
  views[0].plan = PlanOfAll(batch.views_BCHW[0].size(0), num_patches_, teacher_->request().tokens);
  RETURN_IF_ERROR(AttachOrStop(teacher_, batch, stop_wanted_, &views));
  const int64_t first_patch = teacher_->request().wish.class_token() ? 1 : 0;
  means_.push_back(views[0].teacher_BNT.at(objective()).slice(1, first_patch).mean(1));
  AddSamples(crops, &embeddings_);
  return absl::OkStatus();
}

Embeddings TeacherEmbedder::Finish() {
  embeddings_.patch_mean_ND = JoinRows(means_, {0, teacher_->width()});
  return std::move(embeddings_);
}

}  // namespace mimeo
