#include "job/defaults.h"

#include <cmath>

namespace mimeo {
namespace {

// Sets `field` of `message` to `value` where it is absent.
#define MIMEO_DEFAULT(message, field, value) \
  if (!(message)->has_##field()) (message)->set_##field(value)

void FillData(DataSpec* data) {
  MIMEO_DEFAULT(data, image_px, 224);
  MIMEO_DEFAULT(data, max_bad_samples, 100);
  MIMEO_DEFAULT(data, max_pixels, 100000000);
  MIMEO_DEFAULT(data, loader_threads, 1);
}

void FillViews(ViewSpec* views) {
  MIMEO_DEFAULT(views, count, 1);
  MIMEO_DEFAULT(views, crop_scale_min, 0.2);
  MIMEO_DEFAULT(views, crop_scale_max, 1.0);
  MIMEO_DEFAULT(views, crop_ratio_min, 3.0 / 4.0);
  MIMEO_DEFAULT(views, crop_ratio_max, 4.0 / 3.0);
  MIMEO_DEFAULT(views, flip_probability, 0.5);
}

void FillObjective(ObjectiveSpec* objective) {
  MIMEO_DEFAULT(objective, weight, 1.0);
  if (objective->has_reconstruction()) {
    MIMEO_DEFAULT(objective, name, "reconstruction");
    ReconstructionSpec* decoder = objective->mutable_reconstruction();
    MIMEO_DEFAULT(decoder, decoder_width, 512);
    MIMEO_DEFAULT(decoder, decoder_depth, 8);
    MIMEO_DEFAULT(decoder, decoder_heads, 16);
    MIMEO_DEFAULT(decoder, normalize_patches, true);
  } else if (objective->has_mimic()) {
    MIMEO_DEFAULT(objective, name, "mimic");
  }
}

void FillOptimizer(OptimizerSpec* optimizer) {
  AdamWSpec* adamw = optimizer->mutable_adamw();
  MIMEO_DEFAULT(adamw, base_rate, 1.5e-4);
  MIMEO_DEFAULT(adamw, beta1, 0.9);
  MIMEO_DEFAULT(adamw, beta2, 0.95);
  MIMEO_DEFAULT(adamw, epsilon, 1e-8);
  MIMEO_DEFAULT(adamw, weight_decay, 0.05);
  MIMEO_DEFAULT(optimizer, max_grad_norm, 0.0);
}

void FillSchedule(ScheduleSpec* schedule) {
  if (schedule->has_epochs()) MIMEO_DEFAULT(schedule, warmup_epochs, 0.05 * schedule->epochs());
  if (schedule->has_steps()) MIMEO_DEFAULT(schedule, warmup_steps, schedule->steps() / 20);
  MIMEO_DEFAULT(schedule, min_rate, 0.0);
}

void FillEvaluation(const DataSpec& data, EvaluationSpec* evaluation) {
  if (evaluation->has_path()) MIMEO_DEFAULT(evaluation, bank_path, data.path());
  MIMEO_DEFAULT(evaluation, knn_k, 20);
  MIMEO_DEFAULT(evaluation, knn_temperature, 0.07);
  MIMEO_DEFAULT(evaluation, at_start, true);
  MIMEO_DEFAULT(evaluation, every_steps, 0);
  MIMEO_DEFAULT(evaluation, max_images, 0);
}

void FillResources(const DataSpec& data, ResourceSpec* resources) {
  MIMEO_DEFAULT(resources, num_ranks, 1);
  MIMEO_DEFAULT(resources, threads_per_rank, 1);
  MIMEO_DEFAULT(resources, device, DEVICE_AUTO);
  MIMEO_DEFAULT(resources, precision, PRECISION_FP32);
  // Where it does not divide there is no default; job/checks.cc says which batches would.
  const int64_t ranks = resources->num_ranks();
  if (ranks > 0 && data.global_batch() % ranks == 0) MIMEO_DEFAULT(resources, micro_batch, data.global_batch() / ranks);
  MIMEO_DEFAULT(resources, priority, 0);
  MIMEO_DEFAULT(resources, max_restarts, 3);
}

}  // namespace

void FillDefaults(JobSpec* spec) {
  MIMEO_DEFAULT(spec, name, "job");
  MIMEO_DEFAULT(spec, seed, 0);
  FillData(spec->mutable_data());
  FillViews(spec->mutable_views());
  MIMEO_DEFAULT(spec->mutable_mask(), hidden_fraction, 0.75);
  spec->mutable_mask()->mutable_random();
  if (spec->encoder().has_vit()) {
    VitSpec* vit = spec->mutable_encoder()->mutable_vit();
    MIMEO_DEFAULT(vit, patch_px, 16);
    MIMEO_DEFAULT(vit, mlp_ratio, 4.0);
  }
  for (ObjectiveSpec& objective : *spec->mutable_objective()) FillObjective(&objective);
  FillOptimizer(spec->mutable_optimizer());
  FillSchedule(spec->mutable_schedule());
  MIMEO_DEFAULT(spec->mutable_checkpoint(), every_steps, 100);
  MIMEO_DEFAULT(spec->mutable_checkpoint(), keep_last, 3);
  FillEvaluation(spec->data(), spec->mutable_evaluation());
  FillResources(spec->data(), spec->mutable_resources());
}

#undef MIMEO_DEFAULT

}  // namespace mimeo
