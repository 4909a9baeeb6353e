#include <csetjmp>
#include <cstring>
#include <vector>

#include <png.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/codec.h"

namespace mimeo {
namespace {

// Whether another chunk, in a whole file IEND, begins behind the last IDAT: then the pixels are all there. What lies
// behind IEND, or in place of it, is no part of the picture: cameras and cloud stores append things of their own.
bool HasAllPixelData(absl::string_view encoded) {
  constexpr uint64_t kSignature = 8, kLengthAndType = 8, kChecksum = 4;
  bool in_pixel_data = false;
  for (uint64_t offset = kSignature; offset + kLengthAndType <= encoded.size();) {
    const bool pixel_data = encoded.substr(offset + 4, 4) == "IDAT";
    if (in_pixel_data && !pixel_data) return true;
    in_pixel_data = pixel_data;
    const uint64_t length = png_get_uint_32(reinterpret_cast<png_const_bytep>(encoded.data()) + offset);
    offset += kLengthAndType + length + kChecksum;
  }
  return false;
}

// libpng reports by longjmp. It unwinds no destructor, so the frames between Run and libpng hold plain values only.
class PngReader {
 public:
  explicit PngReader(absl::string_view encoded) : encoded_(encoded) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, OnError, OnWarning);
    info_ = png_create_info_struct(png_);
    png_set_read_fn(png_, this, ReadBytes);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  absl::StatusOr<ImageSize> ReadHeader() {
    if (!Run([this] { png_read_info(png_, info_); })) return Broken();
    return ImageSize{static_cast<int>(png_get_image_width(png_, info_)),
                     static_cast<int>(png_get_image_height(png_, info_))};
  }

  // After ReadHeader.
  absl::StatusOr<Pixels> Decode(const Rect& crop) {
    // Looked for first, so that whether a truncated sample is bad does not depend on the crop.
    if (!HasAllPixelData(encoded_)) {
      return absl::InvalidArgumentError("truncated PNG: it ends before or in an IDAT chunk, with no IEND behind");
    }
    if (!Run([this] { ConvertToRgb8(); })) return Broken();
    const size_t stride = png_get_rowbytes(png_, info_);
    const int height = static_cast<int>(png_get_image_height(png_, info_));
    if (stride != static_cast<size_t>(png_get_image_width(png_, info_)) * 3) {
      return absl::InvalidArgumentError("broken PNG: not convertible to RGB");
    }
    Pixels pixels = PixelsOf(crop);
    const bool interlaced = passes_ > 1;
    std::vector<uint8_t> rows(interlaced ? stride * height : stride);
    uint8_t* const rgb = pixels.rgb.data();
    uint8_t* const scratch = rows.data();
    if (!Run([&] { interlaced ? ReadInterlaced(crop, height, stride, scratch, rgb) : ReadRows(crop, scratch, rgb); })) {
      return Broken();
    }
    return pixels;
  }

 private:
  static PngReader* Self(png_structp png) { return static_cast<PngReader*>(png_get_error_ptr(png)); }
  [[noreturn]] static void OnError(png_structp png, png_const_charp message) {
    PngReader* reader = Self(png);
    std::strncpy(reader->message_, message, sizeof(reader->message_) - 1);
    std::longjmp(reader->jump_, 1);
  }
  static void OnWarning(png_structp, png_const_charp) {}
  static void ReadBytes(png_structp png, png_bytep out, size_t size) {
    auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
    if (size > reader->encoded_.size() - reader->offset_) png_error(png, "truncated");
    std::memcpy(out, reader->encoded_.data() + reader->offset_, size);
    reader->offset_ += size;
  }

  template <typename Body>
  bool Run(const Body& body) {
    if (setjmp(jump_) != 0) return false;
    body();
    return true;
  }

  void ConvertToRgb8() {
    png_set_expand(png_);
    png_set_strip_16(png_);  // the high byte, as Pillow
    png_set_strip_alpha(png_);
    png_set_gray_to_rgb(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  void ReadRows(const Rect& crop, uint8_t* scratch, uint8_t* rgb) {
    for (int y = 0; y < crop.top; ++y) png_read_row(png_, scratch, nullptr);
    for (int y = 0; y < crop.height; ++y) {
      png_read_row(png_, scratch, nullptr);
      std::memcpy(rgb + static_cast<size_t>(y) * crop.width * 3, scratch + crop.left * 3, crop.width * 3);
    }
  }

  void ReadInterlaced(const Rect& crop, int height, size_t stride, uint8_t* scratch, uint8_t* rgb) {
    for (int pass = 0; pass < passes_; ++pass) {
      for (int y = 0; y < height; ++y) png_read_row(png_, scratch + y * stride, nullptr);
    }
    for (int y = 0; y < crop.height; ++y) {
      std::memcpy(rgb + static_cast<size_t>(y) * crop.width * 3, scratch + (crop.top + y) * stride + crop.left * 3,
                  crop.width * 3);
    }
  }

  absl::Status Broken() const { return absl::InvalidArgumentError(absl::StrCat("broken PNG: ", message_)); }

  const absl::string_view encoded_;
  size_t offset_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  char message_[128] = "";
  int passes_ = 1;
};

}  // namespace

absl::StatusOr<ImageSize> ReadPngSize(absl::string_view encoded) { return PngReader(encoded).ReadHeader(); }

absl::StatusOr<Pixels> DecodePng(absl::string_view encoded, const Rect* crop, int64_t max_pixels) {
  PngReader reader(encoded);
  ASSIGN_OR_RETURN(const ImageSize size, reader.ReadHeader());
  ASSIGN_OR_RETURN(const Rect checked, CheckedCrop(size, crop, max_pixels));
  return reader.Decode(checked);
}

std::string EncodePng(const Pixels& pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = pixels.width;
  image.height = pixels.height;
  image.format = PNG_FORMAT_RGB;
  std::string encoded(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = encoded.size();
  if (!png_image_write_to_memory(&image, encoded.data(), &size, 0, pixels.rgb.data(), pixels.width * 3, nullptr)) {
    return "";
  }
  encoded.resize(size);
  return encoded;
}

}  // namespace mimeo
