// The readers of the three image formats, each by its own library. data/decode.cc looks at the first bytes and calls
// one of them; everybody else includes data/decode.h. All functions are pure.
//
// A null `crop` means the whole image. InvalidArgument, in all of them: the data is broken or truncated, its header
// states more than `max_pixels`, it is an animated WebP, or the crop is not inside the image. Such a file is a bad
// sample, and to read it again does not help.
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

// The part that is to be decoded of an image of `size`: `*crop`, or all of it. Refuses what the comment above names.
absl::StatusOr<Rect> CheckedCrop(const ImageSize& size, const Rect* crop, int64_t max_pixels);

// Memory for the pixels of `crop`, black at first.
Pixels PixelsOf(const Rect& crop);

}  // namespace mimeo
