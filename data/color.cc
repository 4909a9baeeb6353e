#include "data/color.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <vector>

namespace mimeo {
namespace {

// The counters of a plan's draws.
enum Draw : uint64_t {
  kJitters,
  kBrightnessFactor,
  kContrastFactor,
  kSaturationFactor,
  kHueTurn,
  kGreys,
  kBlurs,
  kSigma,
  kSolarizes
};

double UniformBetween(const RandomKey& key, uint64_t counter, double low, double high) {
  return low + key.Uniform(counter) * (high - low);
}

// Of brightness, contrast and saturation.
double Factor(const RandomKey& key, uint64_t counter, double strength) {
  return strength == 0 ? 1 : UniformBetween(key, counter, std::max(0.0, 1 - strength), 1 + strength);
}

// Towards 0, as torchvision's .to(uint8) of clamped floats.
uint8_t Cut(float value) { return static_cast<uint8_t>(static_cast<int>(std::min(255.0f, std::max(0.0f, value)))); }

// All planes have `size` bytes and do not overlap: __restrict lets the loops below be vectorised.
struct Rgb {
  uint8_t* red;
  uint8_t* green;
  uint8_t* blue;
  int64_t size;
};

float Grey(float red, float green, float blue) {
  return static_cast<float>(static_cast<int>(0.2989f * red + 0.587f * green + 0.114f * blue));
}

using ByteTable = std::array<uint8_t, 256>;

// torchvision's _blend of every byte with one number.
ByteTable BlendTable(double factor, float other) {
  const auto own_share = static_cast<float>(factor), other_share = static_cast<float>(1 - factor);
  ByteTable table;
  for (int i = 0; i < 256; ++i) table[i] = Cut(own_share * static_cast<float>(i) + other_share * other);
  return table;
}

void Map(const ByteTable& table, int64_t size, uint8_t* bytes) {
  for (int64_t i = 0; i < size; ++i) bytes[i] = table[bytes[i]];
}

float MeanGrey(const Rgb& image) {
  const uint8_t* __restrict red = image.red;
  const uint8_t* __restrict green = image.green;
  const uint8_t* __restrict blue = image.blue;
  int64_t sum = 0;
  constexpr int64_t kBlock = 4096;  // whose sum fits into 32 bits
  for (int64_t begin = 0; begin < image.size; begin += kBlock) {
    const int64_t end = std::min(image.size, begin + kBlock);
    int block = 0;
    for (int64_t i = begin; i < end; ++i) block += static_cast<int>(Grey(red[i], green[i], blue[i]));
    sum += block;
  }
  return static_cast<float>(static_cast<double>(sum) / static_cast<double>(image.size));
}

float MeanByte(const uint8_t* bytes, int64_t size) {
  return static_cast<float>(static_cast<double>(std::accumulate(bytes, bytes + size, int64_t{0})) /
                            static_cast<double>(size));
}

// Towards grey; a factor of 0 is torchvision's rgb_to_grayscale in all channels.
void Saturate(double factor, const Rgb& image) {
  uint8_t* __restrict red = image.red;
  uint8_t* __restrict green = image.green;
  uint8_t* __restrict blue = image.blue;
  const auto own = static_cast<float>(factor), other = static_cast<float>(1 - factor);
  for (int64_t i = 0; i < image.size; ++i) {
    const float r = red[i], g = green[i], b = blue[i];
    const float grey = other * Grey(r, g, b);
    red[i] = Cut(own * r + grey);
    green[i] = Cut(own * g + grey);
    blue[i] = Cut(own * b + grey);
  }
}

// Channel `offset` (5 red, 3 green, 1 blue) of the colour whose hue is `sixths` of the circle, in [0, 6), as a float in
// [0, 255]: the same piecewise linear function as torchvision's six cases, without a branch.
float Channel(float offset, float sixths, float largest, float range) {
  const float turned = offset + sixths;
  const float place = turned >= 6 ? turned - 6 : turned;
  return largest - range * std::max(0.0f, std::min(1.0f, std::min(place, 4 - place)));
}

// torchvision goes through HSV with values in [0, 1] and back to bytes by 255.999, cut. Here values are in [0, 255],
// and value times saturation, of which the colour is made again, is the range between the largest and the smallest
// channel.
void TurnHue(double turns, const Rgb& image) {
  uint8_t* __restrict red = image.red;
  uint8_t* __restrict green = image.green;
  uint8_t* __restrict blue = image.blue;
  const auto turned_sixths = static_cast<float>(6 * turns);
  constexpr float kToByte = 255.999f / 255;
  for (int64_t i = 0; i < image.size; ++i) {
    const float r = red[i], g = green[i], b = blue[i];
    const float largest = std::max(r, std::max(g, b)), range = largest - std::min(r, std::min(g, b));
    const float from_red = g - b, from_green = b - r, from_blue = r - g;
    const float difference = r == largest ? from_red : g == largest ? from_green : from_blue;
    const float sixth = r == largest ? 0.0f : g == largest ? 2.0f : 4.0f;
    float hue = sixth + difference / std::max(range, 1.0f) + turned_sixths;  // a range of 0 has no hue, and needs none
    hue = hue < 0 ? hue + 6 : hue;
    hue = hue >= 6 ? hue - 6 : hue;
    red[i] = static_cast<uint8_t>(static_cast<int>(Channel(5, hue, largest, range) * kToByte));
    green[i] = static_cast<uint8_t>(static_cast<int>(Channel(3, hue, largest, range) * kToByte));
    blue[i] = static_cast<uint8_t>(static_cast<int>(Channel(1, hue, largest, range) * kToByte));
  }
}

// The middle of a normalised Gaussian kernel and one side of it, without the taps that no float sum of bytes would
// feel.
std::vector<float> GaussianTaps(int kernel_px, double sigma) {
  std::vector<double> taps;
  double sum = 0;
  for (int i = 0; i <= kernel_px / 2; ++i) {
    taps.push_back(std::exp(-0.5 * (i / sigma) * (i / sigma)));
    sum += i == 0 ? taps[0] : 2 * taps[i];
  }
  constexpr double kSmallestShare = 1e-9;
  while (taps.size() > 1 && taps.back() < kSmallestShare * sum) taps.pop_back();
  std::vector<float> normalised;
  for (const double tap : taps) normalised.push_back(static_cast<float>(tap / sum));
  return normalised;
}

// The place that padding with mode="reflect" looks at: the edge itself is not repeated.
int Reflected(int place, int size) { return place < 0 ? -place : place >= size ? 2 * size - 2 - place : place; }

// One plane by two passes of one dimension, where torchvision makes one of two dimensions: the sums differ in their
// last bits.
void Blur(const std::vector<float>& taps, int height, int width, uint8_t* plane) {
  const int reach = static_cast<int>(taps.size()) - 1;
  std::vector<float> padded(static_cast<size_t>(width + 2 * reach)), along(static_cast<size_t>(height) * width),
      sum(width);
  for (int y = 0; y < height; ++y) {
    const uint8_t* row = plane + int64_t{y} * width;
    for (int x = 0; x < width; ++x) padded[reach + x] = row[x];
    for (int i = 1; i <= reach; ++i) {
      padded[reach - i] = row[Reflected(-i, width)];
      padded[reach + width - 1 + i] = row[Reflected(width - 1 + i, width)];
    }
    float* __restrict out = along.data() + int64_t{y} * width;
    const float* __restrict in = padded.data() + reach;
    for (int x = 0; x < width; ++x) out[x] = taps[0] * in[x];
    for (int i = 1; i <= reach; ++i) {
      const float tap = taps[i];
      for (int x = 0; x < width; ++x) out[x] += tap * (in[x - i] + in[x + i]);
    }
  }
  for (int y = 0; y < height; ++y) {
    const auto row_at = [&](int place) { return along.data() + int64_t{Reflected(place, height)} * width; };
    float* __restrict out = sum.data();
    const float* __restrict middle = row_at(y);
    for (int x = 0; x < width; ++x) out[x] = taps[0] * middle[x];
    for (int i = 1; i <= reach; ++i) {
      const float tap = taps[i];
      const float* __restrict above = row_at(y - i);
      const float* __restrict below = row_at(y + i);
      for (int x = 0; x < width; ++x) out[x] += tap * (above[x] + below[x]);
    }
    uint8_t* row = plane + int64_t{y} * width;
    for (int x = 0; x < width; ++x) row[x] = Cut(out[x] + 0.5f);
  }
}

void ApplyJitter(const ColorPlan& plan, const CropShape& shape, const Rgb& image, uint8_t* bytes) {
  const bool has_color = shape.channels == 3;
  for (const Jitter jitter : plan.order) {
    if (jitter == Jitter::kBrightness && plan.brightness != 1) {
      Map(BlendTable(plan.brightness, 0), shape.bytes(), bytes);
    } else if (jitter == Jitter::kContrast && plan.contrast != 1) {
      const float mean = has_color ? MeanGrey(image) : MeanByte(bytes, shape.bytes());
      Map(BlendTable(plan.contrast, mean), shape.bytes(), bytes);
    } else if (jitter == Jitter::kSaturation && plan.saturation != 1 && has_color) {
      Saturate(plan.saturation, image);
    } else if (jitter == Jitter::kHue && plan.hue != 0 && has_color) {
      TurnHue(plan.hue, image);
    }
  }
}

}  // namespace

ColorPlan DrawColorPlan(const ColorSpec& spec, const RandomKey& key) {
  ColorPlan plan;
  plan.jitter = key.Uniform(kJitters) < spec.jitter_probability();
  const std::vector<int64_t> order = key.Fold("order").Permutation(static_cast<int64_t>(plan.order.size()));
  for (size_t i = 0; i < plan.order.size(); ++i) plan.order[i] = static_cast<Jitter>(order[i]);
  plan.brightness = Factor(key, kBrightnessFactor, spec.brightness());
  plan.contrast = Factor(key, kContrastFactor, spec.contrast());
  plan.saturation = Factor(key, kSaturationFactor, spec.saturation());
  plan.hue = UniformBetween(key, kHueTurn, -spec.hue(), spec.hue());
  plan.grey = key.Uniform(kGreys) < spec.grey_probability();
  plan.blur = key.Uniform(kBlurs) < spec.blur_probability();
  plan.blur_kernel_px = spec.blur_kernel_px();
  plan.blur_sigma = UniformBetween(key, kSigma, spec.blur_sigma_min(), spec.blur_sigma_max());
  plan.solarize = key.Uniform(kSolarizes) < spec.solarize_probability();
  plan.solarize_threshold = spec.solarize_threshold();
  return plan;
}

void ApplyColor(const ColorPlan& plan, const CropShape& shape, uint8_t* planes_CHW) {
  const int64_t plane = int64_t{shape.height_px} * shape.width_px;
  const bool has_color = shape.channels == 3;
  const Rgb image = {planes_CHW, planes_CHW + (has_color ? plane : 0), planes_CHW + (has_color ? 2 * plane : 0), plane};
  if (plan.jitter) ApplyJitter(plan, shape, image, planes_CHW);
  if (plan.grey && has_color) Saturate(0, image);
  if (plan.blur) {
    const std::vector<float> taps = GaussianTaps(plan.blur_kernel_px, plan.blur_sigma);
    for (int channel = 0; channel < shape.channels; ++channel) {
      Blur(taps, shape.height_px, shape.width_px, planes_CHW + channel * plane);
    }
  }
  if (!plan.solarize) return;
  ByteTable table;
  for (int i = 0; i < 256; ++i) table[i] = static_cast<uint8_t>(i >= plan.solarize_threshold ? 255 - i : i);
  Map(table, shape.bytes(), planes_CHW);
}

}  // namespace mimeo
