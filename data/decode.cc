#include "data/decode.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "data/codec.h"

namespace mimeo {
namespace {

enum class Format { kUnknown, kJpeg, kPng, kWebp };

Format FormatOf(absl::string_view encoded) {
  if (absl::StartsWith(encoded, "\xFF\xD8\xFF")) return Format::kJpeg;
  if (absl::StartsWith(encoded, "\x89PNG\r\n\x1A\n")) return Format::kPng;
  if (absl::StartsWith(encoded, "RIFF") && encoded.size() >= 12 && encoded.substr(8, 4) == "WEBP") return Format::kWebp;
  return Format::kUnknown;
}

absl::Status NotAnImage(absl::string_view encoded) {
  if (encoded.empty()) return absl::InvalidArgumentError("an empty file");
  return absl::InvalidArgumentError(
      absl::StrCat("not a JPEG, PNG or WebP: starts with \"", absl::CHexEscape(encoded.substr(0, 12)), "\""));
}

absl::StatusOr<Pixels> Decode(absl::string_view encoded, const Rect* crop, int64_t max_pixels) {
  switch (FormatOf(encoded)) {
    case Format::kJpeg:
      return DecodeJpeg(encoded, crop, max_pixels);
    case Format::kPng:
      return DecodePng(encoded, crop, max_pixels);
    case Format::kWebp:
      return DecodeWebp(encoded, crop, max_pixels);
    case Format::kUnknown:
      break;
  }
  return NotAnImage(encoded);
}

}  // namespace

absl::StatusOr<ImageSize> ReadImageSize(absl::string_view encoded) {
  switch (FormatOf(encoded)) {
    case Format::kJpeg:
      return ReadJpegSize(encoded);
    case Format::kPng:
      return ReadPngSize(encoded);
    case Format::kWebp:
      return ReadWebpSize(encoded);
    case Format::kUnknown:
      break;
  }
  return NotAnImage(encoded);
}

absl::StatusOr<Pixels> DecodeCrop(absl::string_view encoded, const Rect& crop, int64_t max_pixels) {
  return Decode(encoded, &crop, max_pixels);
}

absl::StatusOr<Pixels> DecodeImage(absl::string_view encoded, int64_t max_pixels) {
  return Decode(encoded, nullptr, max_pixels);
}

Pixels CutPixels(const Pixels& pixels, const Rect& crop) {
  Pixels cut = PixelsOf(crop);
  for (int y = 0; y < crop.height; ++y) {
    const size_t from = (static_cast<size_t>(crop.top + y) * pixels.width + crop.left) * 3;
    std::memcpy(cut.rgb.data() + static_cast<size_t>(y) * crop.width * 3, pixels.rgb.data() + from, crop.width * 3);
  }
  return cut;
}

absl::StatusOr<Rect> CheckedCrop(const ImageSize& size, const Rect* crop, int64_t max_pixels) {
  if (int64_t{size.width} * size.height > max_pixels) {
    return absl::InvalidArgumentError(
        absl::StrCat(size.width, " x ", size.height, " pixels, over the limit of ", max_pixels, " (data.max_pixels)"));
  }
  if (crop == nullptr) return Rect{0, 0, size.width, size.height};
  if (crop->left < 0 || crop->top < 0 || crop->width <= 0 || crop->height <= 0 ||
      crop->left > size.width - crop->width || crop->top > size.height - crop->height) {
    return absl::InvalidArgumentError(absl::StrCat("a crop of ", crop->width, " x ", crop->height, " at (", crop->left,
                                                   ", ", crop->top, ") is not inside ", size.width, " x ", size.height,
                                                   " pixels"));
  }
  return *crop;
}

Pixels PixelsOf(const Rect& crop) {
  return Pixels{crop.width, crop.height, std::vector<uint8_t>(static_cast<size_t>(crop.width) * crop.height * 3)};
}

}  // namespace mimeo
