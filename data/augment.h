// The random crop and flip of torchvision, drawn from a RandomKey in place of a generator, and the crop that is used
// for evaluation. All functions are pure, so any thread may call them.
//
// A grey crop is made of grey pixels: the colours become ITU-R 601-2 luma before anything is resized. The result is
// what Pillow's Image.open(path).convert("L") followed by torchvision's crop gives. It differs from torchvision's
// Grayscale after the crop. An image that is grey already keeps its values.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/random_key.h"
#include "data/decode.h"
#include "proto/job.pb.h"

namespace mimeo {

// The shape of a crop, which is stored as planes of bytes: (channels, height_px, width_px).
struct CropShape {
  int channels = 3;  // or 1, grey
  int height_px = 0;
  int width_px = 0;
  int64_t bytes() const { return int64_t{channels} * height_px * width_px; }
};

// The shape of a job's training and evaluation crops, and the shape of one of its views. REQUIRES: a resolved spec.
CropShape CropShapeOf(const DataSpec& data);
CropShape CropShapeOf(const ViewSpec& view, const DataSpec& data);

// The part of an image that becomes a view. `flip` mirrors that part from left to right.
struct CropPlan {
  Rect crop;
  bool flip = false;
};

// Follows torchvision's transforms.RandomResizedCrop.get_params: ten tries, and then the largest central crop that has
// an allowed ratio. As there, the area and the ratio (width / height) describe the part that is cut out and not the
// size that it is resized to. Equal arguments give equal plans.
CropPlan RandomCropPlan(const ImageSize& size, const ViewSpec& spec, const RandomKey& key);

// Resizes to (C, H, W) uint8 of `shape`, with antialiasing. On real photos each value differs from Pillow's by at most
// 2 of 255.
at::Tensor ResizeCrop(const Pixels& crop, const CropShape& shape, bool flip,
                      Interpolation interpolation = INTERPOLATION_BICUBIC);
// Does the same into shape.bytes() bytes at `out_CHW`, which saves a copy.
void ResizeCropInto(const Pixels& crop, const CropShape& shape, bool flip, Interpolation interpolation,
                    uint8_t* out_CHW);

// Scales the image (bicubic, antialiased) until it covers the shape enlarged by 256 / 224, and cuts out the centre. For
// a square this is torchvision's Resize of the short side to px * 256 / 224 and its CenterCrop of px. An image that has
// the shape already is not resized.
//
// An image may be much longer than the shape: its ratio of sides may be more than 8 times the shape's. Then only its
// middle is scaled, because the centre comes from there, so that memory stays bounded.
at::Tensor EvaluationCrop(const Pixels& image, const CropShape& shape);
void EvaluationCropInto(const Pixels& image, const CropShape& shape, uint8_t* out_CHW);

// One grey byte per pixel: (R * 19595 + G * 38470 + B * 7471 + 2^15) >> 16, the arithmetic of Pillow's convert("L").
std::vector<uint8_t> Luma(const Pixels& pixels);

}  // namespace mimeo
