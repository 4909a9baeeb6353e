// Decodes images: the bytes of a JPEG, PNG or WebP become RGB pixels, by libjpeg-turbo, libpng and libwebp. The bytes
// may be anything: what is no image is an error and never more. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

// A part of an image, in pixels from its upper left corner.
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

// An image in memory.
struct Pixels {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // three bytes for each pixel, row by row from the top, without padding
};

// The size that the header says. The pixels are not looked at, so this is fast. An orientation in EXIF data is ignored,
// here and below. InvalidArgument: it is no JPEG, PNG or WebP, or it is an animation.
absl::StatusOr<ImageSize> ReadImageSize(absl::string_view encoded);

// The pixels of `crop`, or of the whole image. A crop has the same pixels as that part of the whole image, but where
// the format allows it only that part is decoded. Whatever the file has becomes RGB of 8 bits: grey and CMYK images
// (Adobe's inverted ones too), palettes, and 16 bits. Alpha is dropped.
//
// InvalidArgument: the data are broken or cut short, the header says more than `max_pixels` pixels (before memory is
// taken for them), or `crop` is not inside the image.
absl::StatusOr<Pixels> DecodeCrop(absl::string_view encoded, const Rect& crop, int64_t max_pixels);
absl::StatusOr<Pixels> DecodeImage(absl::string_view encoded, int64_t max_pixels);

// A copy of a part of `pixels`. REQUIRES: `crop` lies inside.
Pixels CutPixels(const Pixels& pixels, const Rect& crop);

// The image as the bytes of a PNG file.
std::string EncodePng(const Pixels& pixels);

}  // namespace mimeo
