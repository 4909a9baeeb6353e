#include <cstring>

#include <webp/decode.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/codec.h"

namespace mimeo {
namespace {

const uint8_t* Bytes(absl::string_view encoded) { return reinterpret_cast<const uint8_t*>(encoded.data()); }

}  // namespace

absl::StatusOr<ImageSize> ReadWebpSize(absl::string_view encoded) {
  WebPBitstreamFeatures features;
  const VP8StatusCode code = WebPGetFeatures(Bytes(encoded), encoded.size(), &features);
  if (code != VP8_STATUS_OK) {
    return absl::InvalidArgumentError(code == VP8_STATUS_NOT_ENOUGH_DATA ? "truncated WebP: no whole header"
                                                                         : "broken WebP: no readable header");
  }
  if (features.has_animation) return absl::InvalidArgumentError("an animated WebP: only still images are samples");
  return ImageSize{features.width, features.height};
}

absl::StatusOr<Pixels> DecodeWebp(absl::string_view encoded, const Rect* crop, int64_t max_pixels) {
  ASSIGN_OR_RETURN(const ImageSize size, ReadWebpSize(encoded));
  ASSIGN_OR_RETURN(const Rect wanted, CheckedCrop(size, crop, max_pixels));
  // libwebp's own cropping changes pixels at the crop's edges.
  Pixels whole = PixelsOf({0, 0, size.width, size.height});
  if (WebPDecodeRGBInto(Bytes(encoded), encoded.size(), whole.rgb.data(), whole.rgb.size(), size.width * 3) ==
      nullptr) {
    return absl::InvalidArgumentError("broken or truncated WebP");
  }
  if (wanted.width == size.width && wanted.height == size.height) return whole;
  return CutPixels(whole, wanted);
}

}  // namespace mimeo
