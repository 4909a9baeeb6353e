// MAE's ViT with every field set, as job/defaults.cc resolves it (which model/ may not see): for tests.
#pragma once

#include "proto/job.pb.h"

namespace mimeo::testing {

inline VitSpec PlainVit(int patch_px, int width, int depth, int heads) {
  VitSpec vit;
  vit.set_patch_px(patch_px), vit.set_width(width), vit.set_depth(depth), vit.set_heads(heads), vit.set_mlp_ratio(4);
  vit.set_class_token(true), vit.set_positions(POSITIONS_SINE_COSINE), vit.set_drop_path(0);
  vit.set_activation(ACTIVATION_GELU), vit.set_norm_epsilon(1e-6), vit.set_pre_norm(false);
  vit.set_patch_bias(true), vit.set_qkv_bias(true), vit.set_layer_scale(0), vit.set_register_tokens(0);
  vit.set_mask_token(false), vit.set_frozen_patch_embedding(false), vit.set_position_offset(0);
  return vit;
}

// Square RGB images, normalised by ImageNet's statistics.
inline DataSpec PlainData(int image_px) {
  DataSpec data;
  data.set_image_px(image_px), data.set_image_width_px(image_px), data.set_channels(3);
  for (const double mean : {0.485, 0.456, 0.406}) data.add_pixel_mean(mean);
  for (const double std : {0.229, 0.224, 0.225}) data.add_pixel_std(std);
  return data;
}

}  // namespace mimeo::testing
