#include "tests/fuzz/picture.h"

#include "data/decode.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {
namespace {

constexpr int64_t kMaxPixels = 1 << 16;
constexpr size_t kMessageBytes = 1024;

// A rectangle inside the picture: FNV-1a of the bytes, cut into four numbers.
Rect PartOf(absl::string_view bytes, const ImageSize& size) {
  uint64_t hash = 14695981039346656037u;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  const auto number = [&](int shift, int below) { return static_cast<int>((hash >> shift & 0xffff) % below); };
  Rect part;
  part.left = number(0, size.width), part.top = number(16, size.height);
  part.width = 1 + number(32, size.width - part.left), part.height = 1 + number(48, size.height - part.top);
  return part;
}

}  // namespace

void CheckPicture(absl::string_view bytes) {
  const auto refused = {absl::StatusCode::kInvalidArgument};
  const absl::StatusOr<ImageSize> size = ReadImageSize(bytes);
  const absl::StatusOr<Pixels> whole = DecodeImage(bytes, kMaxPixels);
  if (!size.ok()) CheckRefusal(size.status(), refused, kMessageBytes);
  if (!whole.ok()) CheckRefusal(whole.status(), refused, kMessageBytes);
  MIMEO_CHECK(size.ok() || !whole.ok(), "a picture without a size: ", size.status().ToString());
  if (!size.ok()) return;
  const auto pixels = int64_t{size->width} * size->height;
  MIMEO_CHECK(size->width > 0 && size->height > 0, size->width, " x ", size->height);
  MIMEO_CHECK(!whole.ok() || pixels <= kMaxPixels, pixels, " pixels");
  const Rect part = PartOf(bytes, *size);
  const absl::StatusOr<Pixels> crop = DecodeCrop(bytes, part, kMaxPixels);
  if (!crop.ok()) return CheckRefusal(crop.status(), refused, kMessageBytes);
  MIMEO_CHECK(pixels <= kMaxPixels, pixels, " pixels");
  if (!whole.ok()) return;  // what is broken below the part may go unseen
  MIMEO_CHECK(whole->width == size->width && whole->height == size->height, whole->width, " x ", whole->height);
  MIMEO_CHECK(crop->width == part.width && crop->height == part.height, crop->width, " x ", crop->height);
  MIMEO_CHECK(crop->rgb == CutPixels(*whole, part).rgb, "the part at ", part.left, ", ", part.top, " of ", part.width,
              " x ", part.height, " differs from the whole picture's");
}

}  // namespace mimeo::fuzz
