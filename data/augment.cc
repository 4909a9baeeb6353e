#include "data/augment.h"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace mimeo {
namespace {

// (1, 3, height, width) as a view of interleaved RGB: channels-last, the layout that ATen's uint8 kernel reads directly.
at::Tensor AsChannelsLast(const Pixels& pixels) {
  return at::from_blob(const_cast<uint8_t*>(pixels.rgb.data()), {1, 3, pixels.height, pixels.width},
                       {int64_t{3} * pixels.height * pixels.width, 1, int64_t{3} * pixels.width, 3}, at::kByte);
}

at::Tensor Resize(const Pixels& pixels, int height, int width) {
  return at::_upsample_bicubic2d_aa(AsChannelsLast(pixels), {height, width}, /*align_corners=*/false)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

// A px x px window of interleaved RGB, whose rows are `stride` bytes apart, to planes.
void Deinterleave(const uint8_t* rgb, int64_t stride, int px, bool flip, uint8_t* out_CHW) {
  const int64_t plane = int64_t{px} * px;
  for (int y = 0; y < px; ++y, rgb += stride, out_CHW += px) {
    for (int x = 0; x < px; ++x) {
      const uint8_t* from = rgb + 3 * (flip ? px - 1 - x : x);
      out_CHW[x] = from[0];
      out_CHW[plane + x] = from[1];
      out_CHW[2 * plane + x] = from[2];
    }
  }
}

int RoundHalfEven(double value) { return static_cast<int>(std::nearbyint(value)); }

Rect CentralCrop(const ImageSize& size, double ratio_min, double ratio_max) {
  const double ratio = static_cast<double>(size.width) / size.height;
  int width = size.width;
  int height = size.height;
  if (ratio < ratio_min) height = std::max(1, RoundHalfEven(width / ratio_min));
  if (ratio > ratio_max) width = std::max(1, RoundHalfEven(height * ratio_max));
  return {(size.width - width) / 2, (size.height - height) / 2, width, height};
}

// A very long image scaled to its short side would be huge; only its middle can end up in the crop.
Pixels MiddleOfLongImage(const Pixels& image) {
  constexpr int kLongest = 8;
  const int limit = std::min(image.width, image.height) * kLongest;
  const int width = std::min(image.width, limit);
  const int height = std::min(image.height, limit);
  return CutPixels(image, {(image.width - width) / 2, (image.height - height) / 2, width, height});
}

}  // namespace

CropPlan RandomCropPlan(const ImageSize& size, const ViewSpec& spec, const RandomKey& key) {
  const double area = static_cast<double>(size.width) * size.height;
  const double log_min = std::log(spec.crop_ratio_min());
  const double log_max = std::log(spec.crop_ratio_max());
  uint64_t counter = 0;
  CropPlan plan;
  plan.flip = key.Uniform(counter++) < spec.flip_probability();
  constexpr int kTries = 10;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double share = key.Uniform(counter++);
    const double shape = key.Uniform(counter++);
    const double target = area * (spec.crop_scale_min() + share * (spec.crop_scale_max() - spec.crop_scale_min()));
    const double ratio = std::exp(log_min + shape * (log_max - log_min));
    const int width = RoundHalfEven(std::sqrt(target * ratio));
    const int height = RoundHalfEven(std::sqrt(target / ratio));
    if (width <= 0 || width > size.width || height <= 0 || height > size.height) continue;
    plan.crop.top = static_cast<int>(key.Below(size.height - height + 1, counter++));
    plan.crop.left = static_cast<int>(key.Below(size.width - width + 1, counter++));
    plan.crop.width = width;
    plan.crop.height = height;
    return plan;
  }
  plan.crop = CentralCrop(size, spec.crop_ratio_min(), spec.crop_ratio_max());
  return plan;
}

void ResizeCropInto(const Pixels& crop, int px, bool flip, uint8_t* out_CHW) {
  if (crop.width == px && crop.height == px) {
    Deinterleave(crop.rgb.data(), int64_t{3} * px, px, flip, out_CHW);
    return;
  }
  const c10::InferenceMode no_autograd;
  const at::Tensor resized = Resize(crop, px, px);
  Deinterleave(resized.const_data_ptr<uint8_t>(), int64_t{3} * px, px, flip, out_CHW);
}

at::Tensor ResizeCrop(const Pixels& crop, int px, bool flip) {
  at::Tensor out = at::empty({3, px, px}, at::kByte);
  ResizeCropInto(crop, px, flip, out.mutable_data_ptr<uint8_t>());
  return out;
}

at::Tensor EvaluationCrop(const Pixels& image, int px) {
  if (image.width == px && image.height == px) return ResizeCrop(image, px, /*flip=*/false);
  const int shorter = std::min(image.width, image.height);
  const bool is_long = std::max(image.width, image.height) / 8 >= shorter;
  const Pixels middle = is_long ? MiddleOfLongImage(image) : Pixels{};
  const Pixels& source = is_long ? middle : image;
  const int64_t short_side = (int64_t{px} * 256 + 112) / 224;  // to the nearest
  const int height = static_cast<int>(short_side * source.height / shorter);
  const int width = static_cast<int>(short_side * source.width / shorter);
  at::Tensor out = at::empty({3, px, px}, at::kByte);
  const c10::InferenceMode no_autograd;
  const at::Tensor resized = Resize(source, height, width);
  // torchvision's CenterCrop: Python's round, half to even.
  const int64_t top = RoundHalfEven((height - px) / 2.0);
  const int64_t left = RoundHalfEven((width - px) / 2.0);
  Deinterleave(resized.const_data_ptr<uint8_t>() + (top * width + left) * 3, int64_t{3} * width, px, /*flip=*/false,
               out.mutable_data_ptr<uint8_t>());
  return out;
}

}  // namespace mimeo
