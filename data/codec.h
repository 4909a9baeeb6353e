// The three image formats, each by its own library: what data/decode.cc chooses between. Pure.
//
// `crop` null is the whole image. InvalidArgument: broken, truncated, over `max_pixels` by the header, an animation, a
// crop that is not inside the image.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/decode.h"

namespace mimeo {

absl::StatusOr<ImageSize> ReadJpegSize(absl::string_view encoded);
absl::StatusOr<Pixels> DecodeJpeg(absl::string_view encoded, const Rect* crop, int64_t max_pixels);

absl::StatusOr<ImageSize> ReadPngSize(absl::string_view encoded);
absl::StatusOr<Pixels> DecodePng(absl::string_view encoded, const Rect* crop, int64_t max_pixels);

absl::StatusOr<ImageSize> ReadWebpSize(absl::string_view encoded);
absl::StatusOr<Pixels> DecodeWebp(absl::string_view encoded, const Rect* crop, int64_t max_pixels);

// What is to be decoded of an image of `size`.
absl::StatusOr<Rect> CheckedCrop(const ImageSize& size, const Rect* crop, int64_t max_pixels);

// Black pixels to decode `crop` into.
Pixels PixelsOf(const Rect& crop);

}  // namespace mimeo
