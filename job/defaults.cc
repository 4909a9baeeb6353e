#include "job/defaults.h"

#include <cmath>

#include "job/job_shape.h"

namespace mimeo {
namespace {

// Sets `field` of `message` to `value` where it is absent.
#define MIMEO_DEFAULT(message, field, value) \
  if (!(message)->has_##field()) (message)->set_##field(value)

void FillData(DataSpec* data) {
  MIMEO_DEFAULT(data, image_px, 224);
  MIMEO_DEFAULT(data, image_width_px, data->image_px());
  MIMEO_DEFAULT(data, channels, 3);
  MIMEO_DEFAULT(data, max_bad_samples, 100);
  MIMEO_DEFAULT(data, max_pixels, 100000000);
  MIMEO_DEFAULT(data, loader_threads, 1);
  const bool grey = data->channels() == 1;
  if (!grey && data->channels() != 3) return;
  if (data->pixel_mean().empty()) {
    for (const double mean : {0.485, 0.456, 0.406}) {
      if (!grey) data->add_pixel_mean(mean);
    }
    if (grey) data->add_pixel_mean(0.449);
  }
  if (data->pixel_std().empty()) {
    for (const double std : {0.229, 0.224, 0.225}) {
      if (!grey) data->add_pixel_std(std);
    }
    if (grey) data->add_pixel_std(0.226);
  }
}

// A tenth of the view's height, to the next odd number.
int BlurKernel(int height_px) {
  const int tenth = height_px / 10 + (height_px % 10 > 0 ? 1 : 0);
  return tenth % 2 == 0 ? tenth + 1 : tenth;
}

void FillColor(int height_px, ColorSpec* color) {
  MIMEO_DEFAULT(color, brightness, 0.0);
  MIMEO_DEFAULT(color, contrast, 0.0);
  MIMEO_DEFAULT(color, saturation, 0.0);
  MIMEO_DEFAULT(color, hue, 0.0);
  MIMEO_DEFAULT(color, jitter_probability, 1.0);
  MIMEO_DEFAULT(color, grey_probability, 0.0);
  MIMEO_DEFAULT(color, blur_probability, 0.0);
  MIMEO_DEFAULT(color, blur_sigma_min, 0.1);
  MIMEO_DEFAULT(color, blur_sigma_max, 2.0);
  MIMEO_DEFAULT(color, blur_kernel_px, BlurKernel(height_px));
  MIMEO_DEFAULT(color, solarize_probability, 0.0);
  MIMEO_DEFAULT(color, solarize_threshold, 128);
}

void FillViews(const DataSpec& data, ViewSpec* views) {
  MIMEO_DEFAULT(views, count, 1);
  MIMEO_DEFAULT(views, crop_scale_min, 0.2);
  MIMEO_DEFAULT(views, crop_scale_max, 1.0);
  MIMEO_DEFAULT(views, crop_ratio_min, 3.0 / 4.0);
  MIMEO_DEFAULT(views, crop_ratio_max, 4.0 / 3.0);
  MIMEO_DEFAULT(views, flip_probability, 0.5);
  MIMEO_DEFAULT(views, interpolation, INTERPOLATION_BICUBIC);
  MIMEO_DEFAULT(views, image_width_px, views->has_image_px() ? views->image_px() : data.image_width_px());
  MIMEO_DEFAULT(views, image_px, data.image_px());
  if (views->has_color()) FillColor(views->image_px(), views->mutable_color());
}

void FillMask(MaskSpec* mask) {
  MIMEO_DEFAULT(mask, hidden_fraction, mask->has_none() ? 0.0 : 0.75);
  MIMEO_DEFAULT(mask, unit_patches, 1);
  MIMEO_DEFAULT(mask, groups, 1);
  MIMEO_DEFAULT(mask, same_in_all_views, false);
  if (mask->kind_case() == MaskSpec::KIND_NOT_SET) mask->mutable_random();
  if (mask->has_block()) {
    MIMEO_DEFAULT(mask->mutable_block(), min_patches, 16);
    MIMEO_DEFAULT(mask->mutable_block(), min_aspect, 0.3);
  }
  if (mask->has_focused()) MIMEO_DEFAULT(mask->mutable_focused(), most_attended, false);
}

void FillEncoder(EncoderSpec* encoder) {
  if (encoder->has_vit()) {
    VitSpec* vit = encoder->mutable_vit();
    MIMEO_DEFAULT(vit, patch_px, 16);
    MIMEO_DEFAULT(vit, mlp_ratio, 4.0);
    MIMEO_DEFAULT(vit, class_token, true);
    MIMEO_DEFAULT(vit, positions, POSITIONS_SINE_COSINE);
    MIMEO_DEFAULT(vit, drop_path, 0.0);
    MIMEO_DEFAULT(vit, activation, ACTIVATION_GELU);
    MIMEO_DEFAULT(vit, norm_epsilon, 1e-6);
    MIMEO_DEFAULT(vit, pre_norm, false);
    MIMEO_DEFAULT(vit, patch_bias, true);
    MIMEO_DEFAULT(vit, qkv_bias, true);
    MIMEO_DEFAULT(vit, layer_scale, 0.0);
    MIMEO_DEFAULT(vit, register_tokens, 0);
    MIMEO_DEFAULT(vit, mask_token, false);
    MIMEO_DEFAULT(vit, frozen_patch_embedding, false);
    MIMEO_DEFAULT(vit, position_offset, 0.0);
  } else if (encoder->has_conv_vit()) {
    ConvVitSpec* conv = encoder->mutable_conv_vit();
    MIMEO_DEFAULT(conv, stem_px, 4);
    MIMEO_DEFAULT(conv, mlp_ratio, 4.0);
    MIMEO_DEFAULT(conv, class_token, false);
    MIMEO_DEFAULT(conv, drop_path, 0.0);
    MIMEO_DEFAULT(conv, stages, STAGES_AT_VISIBLE_TILES);
  }
}

template <typename Spec>
void FillDecoder(Spec* spec) {
  MIMEO_DEFAULT(spec, decoder_width, 512);
  MIMEO_DEFAULT(spec, decoder_depth, 8);
  MIMEO_DEFAULT(spec, decoder_heads, 16);
}

void FillReconstruction(ReconstructionSpec* decoder) {
  MIMEO_DEFAULT(decoder, linear, false);
  if (!decoder->linear()) FillDecoder(decoder);
  MIMEO_DEFAULT(decoder, normalize_patches, true);
  MIMEO_DEFAULT(decoder, distance, PIXEL_DISTANCE_MSE);
  MIMEO_DEFAULT(decoder, target_view, TARGET_VIEW_OWN);
}

void FillMimic(MimicSpec* mimic) {
  MIMEO_DEFAULT(mimic, distance, MIMIC_DISTANCE_MSE);
  MIMEO_DEFAULT(mimic, teacher_norm, TEACHER_NORM_WHITEN);
  MIMEO_DEFAULT(mimic, teacher_layer, 0);
  MIMEO_DEFAULT(mimic, projected, false);
  MIMEO_DEFAULT(mimic, class_token, false);
  MIMEO_DEFAULT(mimic, tokens, MIMIC_TOKENS_VISIBLE);
  if (mimic->tokens() != MIMIC_TOKENS_VISIBLE) FillDecoder(mimic);
}

void FillContrastive(ContrastiveSpec* contrastive) {
  if (contrastive->has_info_nce()) MIMEO_DEFAULT(contrastive->mutable_info_nce(), temperature, 0.1);
  if (contrastive->has_cosine()) contrastive->mutable_predictor();
  if (contrastive->has_predictor()) {
    MIMEO_DEFAULT(contrastive->mutable_predictor(), hidden_width, 4096);
    MIMEO_DEFAULT(contrastive->mutable_predictor(), final_norm, false);
  }
  MIMEO_DEFAULT(contrastive, average_target, false);
  MIMEO_DEFAULT(contrastive, pooling, POOLING_MEAN);
  ProjectorSpec* projector = contrastive->mutable_projector();
  if (projector->hidden_width().empty()) projector->add_hidden_width(4096), projector->add_hidden_width(4096);
  MIMEO_DEFAULT(projector, width, 128);
  MIMEO_DEFAULT(projector, batch_norm, true);
}

void FillSelfDistillation(SelfDistillationSpec* dino) {
  MIMEO_DEFAULT(dino, pooling, POOLING_CLASS);
  if (dino->hidden_width().empty()) dino->add_hidden_width(2048), dino->add_hidden_width(2048);
  MIMEO_DEFAULT(dino, bottleneck_width, 256);
  MIMEO_DEFAULT(dino, num_prototypes, 65536);
  MIMEO_DEFAULT(dino, student_temperature, 0.1);
  MIMEO_DEFAULT(dino, teacher_temperature, 0.04);
  MIMEO_DEFAULT(dino, warmup_temperature, dino->teacher_temperature());
  MIMEO_DEFAULT(dino, warmup, 0.0);
  MIMEO_DEFAULT(dino, center_momentum, 0.9);
  MIMEO_DEFAULT(dino, frozen_prototypes, 0.0);
  MIMEO_DEFAULT(dino, warmup_stages, 0);
}

void FillObjective(ObjectiveSpec* objective) {
  MIMEO_DEFAULT(objective, weight, 1.0);
  if (objective->has_weight_schedule()) {
    MIMEO_DEFAULT(objective->mutable_weight_schedule(), begin, 0.0);
    MIMEO_DEFAULT(objective->mutable_weight_schedule(), end, 1.0);
    MIMEO_DEFAULT(objective->mutable_weight_schedule(), shape, SCHEDULE_SHAPE_LINEAR);
  }
  if (objective->has_reconstruction()) {
    MIMEO_DEFAULT(objective, name, "reconstruction");
    FillReconstruction(objective->mutable_reconstruction());
  } else if (objective->has_mimic()) {
    MIMEO_DEFAULT(objective, name, "mimic");
    FillMimic(objective->mutable_mimic());
  } else if (objective->has_contrastive()) {
    MIMEO_DEFAULT(objective, name, "contrastive");
    FillContrastive(objective->mutable_contrastive());
  } else if (objective->has_self_distillation()) {
    MIMEO_DEFAULT(objective, name, "self_distillation");
    FillSelfDistillation(objective->mutable_self_distillation());
  }
}

void FillOptimizer(OptimizerSpec* optimizer) {
  AdamWSpec* adamw = optimizer->mutable_adamw();
  MIMEO_DEFAULT(adamw, base_rate, 1.5e-4);
  MIMEO_DEFAULT(adamw, beta1, 0.9);
  MIMEO_DEFAULT(adamw, beta2, 0.95);
  MIMEO_DEFAULT(adamw, epsilon, 1e-8);
  MIMEO_DEFAULT(adamw, weight_decay, 0.05);
  MIMEO_DEFAULT(adamw, final_weight_decay, adamw->weight_decay());
  MIMEO_DEFAULT(adamw, layer_decay, 1.0);
  MIMEO_DEFAULT(adamw, decayed, DECAYED_MATRICES);
  MIMEO_DEFAULT(optimizer, max_grad_norm, 0.0);
  MIMEO_DEFAULT(optimizer, clipping, CLIPPING_GLOBAL);
}

// A resolved spec has its warm-up in the unit of its schedule. A share that is no share stays, for the checks to name.
void FillWarmup(ScheduleSpec* schedule) {
  if (schedule->has_warmup_epochs() || schedule->has_warmup_steps()) return;
  const double share = schedule->has_warmup() ? schedule->warmup() : 0.05;
  if (!(share >= 0 && share <= 1)) return;
  schedule->clear_warmup();
  if (schedule->has_epochs()) schedule->set_warmup_epochs(share * schedule->epochs());
  // A share such as 0.29 is stored as a little less than it says: 29 of 100 steps are not 28.
  if (schedule->has_steps()) schedule->set_warmup_steps(static_cast<int64_t>(share * schedule->steps() + 1e-6));
}

void FillSchedule(ScheduleSpec* schedule) {
  FillWarmup(schedule);
  MIMEO_DEFAULT(schedule, min_rate, 0.0);
  MIMEO_DEFAULT(schedule, end_after_last_step, false);
  MIMEO_DEFAULT(schedule, peak_in_warmup, false);
}

void FillEvaluation(const DataSpec& data, EvaluationSpec* evaluation) {
  if (evaluation->has_path()) MIMEO_DEFAULT(evaluation, bank_path, data.path());
  MIMEO_DEFAULT(evaluation, knn_k, 20);
  MIMEO_DEFAULT(evaluation, knn_temperature, 0.07);
  MIMEO_DEFAULT(evaluation, at_start, true);
  MIMEO_DEFAULT(evaluation, every_steps, 0);
  MIMEO_DEFAULT(evaluation, max_images, 0);
  MIMEO_DEFAULT(evaluation, hold_out, 0.0);
}

void FillResources(JobSpec* spec) {
  ResourceSpec* const resources = spec->mutable_resources();
  MIMEO_DEFAULT(resources, num_ranks, 1);
  MIMEO_DEFAULT(resources, threads_per_rank, 1);
  MIMEO_DEFAULT(resources, device, DEVICE_AUTO);
  MIMEO_DEFAULT(resources, precision, PRECISION_FP32);
  // Where it does not divide there is no default; job/checks.cc says which batches would.
  const int64_t whole = resources->has_micro_batch() ? 0 : MicroBatch(*spec, resources->num_ranks());
  if (whole > 0) MIMEO_DEFAULT(resources, micro_batch, whole);
  MIMEO_DEFAULT(resources, priority, 0);
  MIMEO_DEFAULT(resources, max_restarts, 4);
  MIMEO_DEFAULT(resources, activation_checkpointing, false);
  MIMEO_DEFAULT(resources, cuda_graph, false);
}

}  // namespace

void FillDefaults(JobSpec* spec) {
  MIMEO_DEFAULT(spec, name, "job");
  MIMEO_DEFAULT(spec, seed, 0);
  MIMEO_DEFAULT(spec, init, INITIAL_WEIGHTS_MAE);
  FillData(spec->mutable_data());
  if (spec->views().empty()) spec->add_views();
  for (ViewSpec& views : *spec->mutable_views()) FillViews(spec->data(), &views);
  FillMask(spec->mutable_mask());
  FillEncoder(spec->mutable_encoder());
  for (ObjectiveSpec& objective : *spec->mutable_objective()) FillObjective(&objective);
  if (MixesSamples(*spec)) MIMEO_DEFAULT(spec->mutable_data(), contrast_group, spec->data().global_batch());
  if (spec->has_ema()) {
    MIMEO_DEFAULT(spec->mutable_ema(), decay, 0.9999);
    MIMEO_DEFAULT(spec->mutable_ema(), final_decay, spec->ema().decay());
  }
  FillOptimizer(spec->mutable_optimizer());
  FillSchedule(spec->mutable_schedule());
  MIMEO_DEFAULT(spec->mutable_checkpoint(), every_steps, 100);
  MIMEO_DEFAULT(spec->mutable_checkpoint(), keep_last, 3);
  FillEvaluation(spec->data(), spec->mutable_evaluation());
  FillResources(spec);
}

#undef MIMEO_DEFAULT

}  // namespace mimeo
