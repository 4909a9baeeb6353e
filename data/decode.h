// Encoded bytes -> RGB pixels, by libjpeg-turbo, libpng and libwebp. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

struct Rect {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};
struct ImageSize {
  int width = 0;
  int height = 0;
};

// Interleaved RGB, rows without padding.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

// From the header alone. InvalidArgument: not a JPEG, PNG or WebP, or an animation. EXIF orientation is ignored.
absl::StatusOr<ImageSize> ReadImageSize(absl::string_view encoded);

// The pixels of `crop`, the same as if the whole image had been decoded (only what is needed is, where the format can).
// InvalidArgument: broken or truncated data, more than `max_pixels` by its header. Grey becomes RGB, 16 bits 8, alpha
// is dropped, CMYK (Adobe-inverted too) becomes RGB, palettes are resolved.
absl::StatusOr<Pixels> DecodeCrop(absl::string_view encoded, const Rect& crop, int64_t max_pixels);
absl::StatusOr<Pixels> DecodeImage(absl::string_view encoded, int64_t max_pixels);

// A part of `pixels`. REQUIRES: `crop` lies inside.
Pixels CutPixels(const Pixels& pixels, const Rect& crop);

// RGB -> PNG bytes.
std::string EncodePng(const Pixels& pixels);

}  // namespace mimeo
