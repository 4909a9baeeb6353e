// Random crop and flip as torchvision does them, from a RandomKey in place of a generator; and the evaluation crop. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "base/random_key.h"
#include "data/decode.h"
#include "proto/job.pb.h"

namespace mimeo {

struct CropPlan {
  Rect crop;
  bool flip = false;
};

// torchvision transforms.RandomResizedCrop.get_params: ten tries, then the central fallback; then the flip.
CropPlan RandomCropPlan(const ImageSize& size, const ViewSpec& spec, const RandomKey& key);

// (3, px, px) uint8: bicubic with antialiasing, at most 2 of 255 from Pillow's on real photos.
at::Tensor ResizeCrop(const Pixels& crop, int px, bool flip);
// The same into 3 * px * px bytes at `out_CHW`, which saves a copy.
void ResizeCropInto(const Pixels& crop, int px, bool flip, uint8_t* out_CHW);

// Short side to px * 256 / 224 (bicubic, antialiased), centre crop of px; an image of exactly px x px is untouched. Of an
// image longer than 8 times its short side only the middle is looked at, so that memory stays bounded.
at::Tensor EvaluationCrop(const Pixels& image, int px);

}  // namespace mimeo
