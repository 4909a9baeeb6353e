// Turns the bytes of a JPEG, PNG or WebP file into RGB pixels, by libjpeg-turbo, libpng and libwebp. The first bytes
// decide the format, and not the name. All functions are pure, so any thread may call them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// Pixels, from the upper left corner of the image.
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

// Red, green and blue of each pixel, one byte each, row after row without padding: 3 * width * height bytes.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;
};

// Reads the header alone. InvalidArgument: this is no JPEG, PNG or WebP, or it is an animated WebP. The EXIF
// orientation is ignored, here and below.
absl::StatusOr<ImageSize> ReadImageSize(absl::string_view encoded);

// The pixels of `crop`, bit-equal to the same part of the whole image. Where the format allows it, only what is needed
// is decoded. Grey images become RGB, 16 bits become 8, alpha is dropped, palettes are resolved, and CMYK becomes RGB
// and is taken as inverted, as Adobe stores it, with and without Adobe's marker.
//
// InvalidArgument: the data is broken, truncated or of no known format, or its header states more than `max_pixels`.
// That limit is checked before any memory is taken for pixels.
absl::StatusOr<Pixels> DecodeCrop(absl::string_view encoded, const Rect& crop, int64_t max_pixels);
absl::StatusOr<Pixels> DecodeImage(absl::string_view encoded, int64_t max_pixels);

// Copies a part of `pixels`. REQUIRES: `crop` lies inside.
Pixels CutPixels(const Pixels& pixels, const Rect& crop);

// The bytes of a PNG file, without loss. Empty if libpng cannot write it.
std::string EncodePng(const Pixels& pixels);

}  // namespace mimeo
