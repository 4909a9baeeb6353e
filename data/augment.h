// Random crop and flip as torchvision does them, from a RandomKey in place of a generator; and the evaluation crop.
// Pure.
//
// A grey crop is made of grey pixels: colour is converted by ITU-R 601-2 luma before anything is resized, so it is what
// Pillow's Image.open(path).convert("L"), then torchvision's crop, gives, and not what torchvision's Grayscale after
// the crop does. Grey images stay what they are.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "base/random_key.h"
#include "data/decode.h"
#include "proto/job.pb.h"

namespace mimeo {

// Of what is made: planes of bytes, (channels, height_px, width_px).
struct CropShape {
  int channels = 3;  // or 1, grey
  int height_px = 0;
  int width_px = 0;
  int64_t bytes() const { return int64_t{channels} * height_px * width_px; }
};

// Of a job's training and evaluation crops, and of such a view. REQUIRES: resolved.
CropShape CropShapeOf(const DataSpec& data);
CropShape CropShapeOf(const ViewSpec& view, const DataSpec& data);

struct CropPlan {
  Rect crop;
  bool flip = false;
};

// torchvision transforms.RandomResizedCrop.get_params: ten tries, then the central fallback; then the flip. As there,
// area and ratio are of the image's part and not of what it is resized to.
CropPlan RandomCropPlan(const ImageSize& size, const ViewSpec& spec, const RandomKey& key);

// (C, H, W) uint8 of `shape`: bicubic with antialiasing, at most 2 of 255 from Pillow's on real photos.
at::Tensor ResizeCrop(const Pixels& crop, const CropShape& shape, bool flip);
// The same into shape.bytes() bytes at `out_CHW`, which saves a copy.
void ResizeCropInto(const Pixels& crop, const CropShape& shape, bool flip, uint8_t* out_CHW);

// Scaled (bicubic, antialiased) until it covers the shape enlarged by 256 / 224, then the centre: for a square, short
// side to px * 256 / 224 and the centre of px, as torchvision's Resize and CenterCrop. An image of exactly the shape is
// not resized. Of an image more than 8 times as long as the shape, the one's sides compared with the other's, only the
// middle is looked at, so that memory stays bounded.
at::Tensor EvaluationCrop(const Pixels& image, const CropShape& shape);
void EvaluationCropInto(const Pixels& image, const CropShape& shape, uint8_t* out_CHW);

// One byte per pixel: (R * 19595 + G * 38470 + B * 7471 + 2^15) >> 16, as Pillow's convert("L").
std::vector<uint8_t> Luma(const Pixels& pixels);

}  // namespace mimeo
