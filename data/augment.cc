#include "data/augment.h"

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace mimeo {
namespace {

// What a crop is made of, in the layout that ATen's uint8 kernel reads directly: (1, C, height, width), channel
// fastest. Looks into the pixels where it can.
class Source {
 public:
  Source(const Pixels& pixels, int channels) : grey_(channels == 1 ? Luma(pixels) : std::vector<uint8_t>()) {
    const uint8_t* bytes = channels == 1 ? grey_.data() : pixels.rgb.data();
    const int64_t row = int64_t{channels} * pixels.width;
    image_ = at::from_blob(const_cast<uint8_t*>(bytes), {1, channels, pixels.height, pixels.width},
                           {row * pixels.height, 1, row, channels}, at::kByte);
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;

  const uint8_t* bytes() const { return image_.const_data_ptr<uint8_t>(); }
  at::Tensor Resized(int64_t height, int64_t width, Interpolation interpolation) const {
    const c10::InferenceMode no_autograd;
    const auto resize = interpolation == INTERPOLATION_BILINEAR ? static_cast<Resize*>(at::_upsample_bilinear2d_aa)
                                                                : static_cast<Resize*>(at::_upsample_bicubic2d_aa);
    return resize(image_, {height, width}, /*align_corners=*/false, std::nullopt, std::nullopt)
        .contiguous(at::MemoryFormat::ChannelsLast);
  }

 private:
  using Resize = at::Tensor(const at::Tensor&, at::IntArrayRef, bool, std::optional<double>, std::optional<double>);
  const std::vector<uint8_t> grey_;
  at::Tensor image_;
};

// A window of the shape's size, of interleaved channels whose rows are `stride` bytes apart, to planes.
template <int kChannels>
void Deinterleave(const uint8_t* pixels, int64_t stride, const CropShape& shape, bool flip, uint8_t* out_CHW) {
  const int width = shape.width_px;
  const int64_t plane = int64_t{shape.height_px} * width;
  for (int y = 0; y < shape.height_px; ++y, pixels += stride, out_CHW += width) {
    for (int x = 0; x < width; ++x) {
      const uint8_t* from = pixels + kChannels * (flip ? width - 1 - x : x);
      for (int channel = 0; channel < kChannels; ++channel) out_CHW[channel * plane + x] = from[channel];
    }
  }
}

void ToPlanes(const uint8_t* pixels, int64_t stride, const CropShape& shape, bool flip, uint8_t* out_CHW) {
  if (shape.channels == 1) return Deinterleave<1>(pixels, stride, shape, flip, out_CHW);
  Deinterleave<3>(pixels, stride, shape, flip, out_CHW);
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

// Only the middle of a very long image can end up in the crop, and all of it, scaled, would be huge. All of an image
// that is not that long.
Rect MiddleOfLongImage(const Pixels& image, const CropShape& shape) {
  constexpr int64_t kLongest = 8;
  const int64_t most_width = std::max<int64_t>(1, kLongest * image.height * shape.width_px / shape.height_px);
  const int64_t most_height = std::max<int64_t>(1, kLongest * image.width * shape.height_px / shape.width_px);
  const int width = static_cast<int>(std::min<int64_t>(image.width, most_width));
  const int height = static_cast<int>(std::min<int64_t>(image.height, most_height));
  return {(image.width - width) / 2, (image.height - height) / 2, width, height};
}

// The side that decides becomes 256 / 224 of the shape's, to the nearest; the other follows, cut to whole pixels.
ImageSize ScaledSize(const Pixels& image, const CropShape& shape) {
  const auto enlarged = [](int px) { return (int64_t{px} * 256 + 112) / 224; };
  if (int64_t{shape.height_px} * image.width >= int64_t{shape.width_px} * image.height) {
    const int64_t height = enlarged(shape.height_px);
    return {static_cast<int>(height * image.width / image.height), static_cast<int>(height)};
  }
  const int64_t width = enlarged(shape.width_px);
  return {static_cast<int>(width), static_cast<int>(width * image.height / image.width)};
}

bool HasSize(const Pixels& image, const CropShape& shape) {
  return image.width == shape.width_px && image.height == shape.height_px;
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

CropShape CropShapeOf(const DataSpec& data) { return {data.channels(), data.image_px(), data.image_width_px()}; }
CropShape CropShapeOf(const ViewSpec& view, const DataSpec& data) {
  return {data.channels(), view.image_px(), view.image_width_px()};
}

std::vector<uint8_t> Luma(const Pixels& pixels) {
  std::vector<uint8_t> grey(pixels.rgb.size() / 3);
  const uint8_t* rgb = pixels.rgb.data();
  for (uint8_t& value : grey) {
    value = static_cast<uint8_t>((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
    rgb += 3;
  }
  return grey;
}

void ResizeCropInto(const Pixels& crop, const CropShape& shape, bool flip, Interpolation interpolation,
                    uint8_t* out_CHW) {
  const Source source(crop, shape.channels);
  const int64_t stride = int64_t{shape.channels} * shape.width_px;
  if (HasSize(crop, shape)) return ToPlanes(source.bytes(), stride, shape, flip, out_CHW);
  const at::Tensor resized = source.Resized(shape.height_px, shape.width_px, interpolation);
  ToPlanes(resized.const_data_ptr<uint8_t>(), stride, shape, flip, out_CHW);
}

at::Tensor ResizeCrop(const Pixels& crop, const CropShape& shape, bool flip, Interpolation interpolation) {
  at::Tensor out = at::empty({shape.channels, shape.height_px, shape.width_px}, at::kByte);
  ResizeCropInto(crop, shape, flip, interpolation, out.mutable_data_ptr<uint8_t>());
  return out;
}

void EvaluationCropInto(const Pixels& image, const CropShape& shape, uint8_t* out_CHW) {
  if (HasSize(image, shape)) return ResizeCropInto(image, shape, /*flip=*/false, INTERPOLATION_BICUBIC, out_CHW);
  const Rect part = MiddleOfLongImage(image, shape);
  const bool is_long = part.width < image.width || part.height < image.height;
  const Pixels middle = is_long ? CutPixels(image, part) : Pixels{};
  const Pixels& looked_at = is_long ? middle : image;
  const ImageSize scaled = ScaledSize(looked_at, shape);
  const at::Tensor resized =
      Source(looked_at, shape.channels).Resized(scaled.height, scaled.width, INTERPOLATION_BICUBIC);
  // torchvision's CenterCrop: Python's round, half to even.
  const int64_t top = RoundHalfEven((scaled.height - shape.height_px) / 2.0);
  const int64_t left = RoundHalfEven((scaled.width - shape.width_px) / 2.0);
  ToPlanes(resized.const_data_ptr<uint8_t>() + (top * scaled.width + left) * shape.channels,
           int64_t{shape.channels} * scaled.width, shape, /*flip=*/false, out_CHW);
}

at::Tensor EvaluationCrop(const Pixels& image, const CropShape& shape) {
  at::Tensor out = at::empty({shape.channels, shape.height_px, shape.width_px}, at::kByte);
  EvaluationCropInto(image, shape, out.mutable_data_ptr<uint8_t>());
  return out;
}

}  // namespace mimeo
