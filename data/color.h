// Changes of colour as torchvision makes them on uint8 tensors (transforms/_functional_tensor.py): ColorJitter,
// RandomGrayscale, GaussianBlur and RandomSolarize, in this order. The numbers come from a RandomKey in place of a
// generator. All functions are pure.
//
// Every operation rounds to bytes as torchvision's does: jitter and grey cut towards 0, and blur rounds to the nearest.
#pragma once

#include <array>
#include <cstdint>

#include "base/random_key.h"
#include "data/augment.h"
#include "proto/job.pb.h"

namespace mimeo {

enum class Jitter { kBrightness, kContrast, kSaturation, kHue };

// What is done to one view. As in torchvision, an operation with a neutral factor is left out. The four parts of the
// jitter are done in `order`.
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

// Draws a plan from the probabilities and ranges of `spec`. Each draw has a counter of its own, so a changed
// probability changes only whether its own operation is done, and no other draw. REQUIRES: a resolved spec.
ColorPlan DrawColorPlan(const ColorSpec& spec, const RandomKey& key);

// Changes planes of bytes of `shape`, (channels, height_px, width_px), in place. With one channel, saturation, hue and
// grey do nothing, as in torchvision.
//
// On 200 photos of examples/clothing, at 96 x 101 px and with drawn factors, the result equals torchvision 0.26's
// except after hue and blur: there 2 of 100,000 values differ, by 1 of 255. A solarization that follows may then invert
// one value more or less. REQUIRES: half of the blur's kernel is smaller than either side, so that the edge can be
// reflected.
void ApplyColor(const ColorPlan& plan, const CropShape& shape, uint8_t* planes_CHW);

}  // namespace mimeo
