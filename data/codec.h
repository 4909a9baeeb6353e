// The decoders of the three image formats, each by a library of its own. Only data/decode.cc calls them; everybody else
// calls data/decode.h, which looks at the first bytes and chooses. Pure; thread-safe.
//
// A null `crop` asks for the whole image. InvalidArgument: the data are broken or cut short, the header says more than
// `max_pixels` pixels, the image is an animation, or the crop is not inside the image.
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

// The part that is to be decoded of an image of `size`: `crop`, or all of it. InvalidArgument: the image has more than
// `max_pixels` pixels, or `crop` is not inside it.
absl::StatusOr<Rect> CheckedCrop(const ImageSize& size, const Rect* crop, int64_t max_pixels);

// An image of the size of `crop`, all black, into which a decoder writes.
Pixels PixelsOf(const Rect& crop);

}  // namespace mimeo
