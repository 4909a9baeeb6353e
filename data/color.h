// Changes of colour as torchvision makes them on uint8 tensors (transforms/_functional_tensor.py), from a RandomKey in
// place of a generator: ColorJitter, RandomGrayscale, GaussianBlur and RandomSolarize, in this order. Pure.
//
// Every operation rounds to bytes as torchvision's does: jitter and grey cut towards 0, blur rounds to the nearest.
#pragma once

#include <array>
#include <cstdint>

#include "base/random_key.h"
#include "data/augment.h"
#include "proto/job.pb.h"

namespace mimeo {

enum class Jitter { kBrightness, kContrast, kSaturation, kHue };

// What is done to one view. An operation whose factor is the neutral one is left out, as torchvision does.
struct ColorPlan {
  bool jitter = false;
  std::array<Jitter, 4> order = {Jitter::kBrightness, Jitter::kContrast, Jitter::kSaturation, Jitter::kHue};
  double brightness = 1;  // 0: black
  double contrast = 1;    // 0: all of the mean grey
  double saturation = 1;  // 0: grey
  double hue = 0;         // turns of the circle, in [-0.5, 0.5]
  bool grey = false;
  bool blur = false;
  int blur_kernel_px = 1;  // odd
  double blur_sigma = 1;   // pixels
  bool solarize = false;
  int solarize_threshold = 256;  // values from here on are inverted
};

// What ColorSpec says, drawn. Each draw has a counter of its own, so that a probability changes nothing but whether its
// own operation is done. REQUIRES: a resolved spec.
ColorPlan DrawColorPlan(const ColorSpec& spec, const RandomKey& key);

// In place, on planes of bytes, (channels, height_px, width_px) of `shape`. On 200 photos of examples/clothing, at 96 x
// 101 px and with drawn factors, the same as torchvision 0.26 but for hue and blur, of whose values 2 of 100,000
// differ, by 1 of 255 (a solarization after them inverts one value more or less). One channel: saturation, hue and grey
// do nothing, as there. REQUIRES: half of a blur's kernel is smaller than either side, so that the edge can be
// reflected.
void ApplyColor(const ColorPlan& plan, const CropShape& shape, uint8_t* planes_CHW);

}  // namespace mimeo
