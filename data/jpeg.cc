#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <vector>

#include <jpeglib.h>
// Names the codes of libjpeg's warnings; needs jpeglib.h first.
#include <jerror.h>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/codec.h"

namespace mimeo {
namespace {

// libjpeg reports by longjmp. It unwinds no destructor, so the frames between Run and libjpeg hold plain values only.
struct ErrorState {
  jpeg_error_mgr base;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void FailWithMessage(j_common_ptr codec) {
  auto* error = reinterpret_cast<ErrorState*>(codec->err);
  codec->err->format_message(codec, error->message);
  std::longjmp(error->jump, 1);
}

// libjpeg fills what a truncated file lacks with grey and warns; such a sample is bad. It repairs other damage as
// well as Pillow does, so those warnings pass.
void OnMessage(j_common_ptr codec, int level) {
  if (level < 0 && codec->err->msg_code == JWRN_JPEG_EOF) FailWithMessage(codec);
}

bool EndsWithMarker(const JOCTET* bytes, size_t size) {
  const auto* end = bytes + size;
  while (end > bytes) {
    const auto* found = static_cast<const JOCTET*>(memrchr(bytes, JPEG_EOI, end - bytes));
    if (found == nullptr) return false;
    if (found > bytes && found[-1] == 0xFF) return true;
    end = found;
  }
  return false;
}

// 255 - ink, as Adobe stores it, times 255 - black, rounded: the arithmetic of Pillow's CMYK to RGB.
void CmykToRgb(const uint8_t* cmyk, int width, bool inverted, uint8_t* rgb) {
  const uint8_t flip = inverted ? 0 : 255;
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int light = cmyk[3] ^ flip;
    for (int channel = 0; channel < 3; ++channel) {
      const int product = (255 - (cmyk[channel] ^ flip)) * light + 128;
      const int value = light - ((product + (product >> 8)) >> 8);
      rgb[channel] = static_cast<uint8_t>(value < 0 ? 0 : value);
    }
  }
}

class JpegReader {
 public:
  explicit JpegReader(absl::string_view encoded) : encoded_(encoded) {
    codec_.err = jpeg_std_error(&error_.base);
    error_.base.error_exit = FailWithMessage;
    error_.base.emit_message = OnMessage;
    error_.message[0] = '\0';
  }
  ~JpegReader() {
    if (created_) jpeg_destroy_decompress(&codec_);
  }

  absl::StatusOr<ImageSize> ReadHeader() {
    const bool done = Run([this] {
      jpeg_create_decompress(&codec_);
      created_ = true;
      jpeg_mem_src(&codec_, reinterpret_cast<const unsigned char*>(encoded_.data()), encoded_.size());
      jpeg_read_header(&codec_, TRUE);
    });
    if (!done) return Broken();
    return ImageSize{static_cast<int>(codec_.image_width), static_cast<int>(codec_.image_height)};
  }

  // After ReadHeader.
  absl::StatusOr<Pixels> Decode(const Rect& crop) {
    // Looked for first, so that whether a truncated sample is bad does not depend on the crop.
    if (!EndsWithMarker(codec_.src->next_input_byte, codec_.src->bytes_in_buffer)) {
      return absl::InvalidArgumentError("truncated JPEG: no end-of-image marker");
    }
    Pixels pixels = PixelsOf(crop);
    std::vector<uint8_t> row(static_cast<size_t>(codec_.image_width) * 4);
    uint8_t* const rgb = pixels.rgb.data();
    uint8_t* const scratch = row.data();
    if (!Run([this, &crop, rgb, scratch] { ReadRows(crop, scratch, rgb); })) return Broken();
    return pixels;
  }

 private:
  template <typename Body>
  bool Run(const Body& body) {
    if (setjmp(error_.jump) != 0) return false;
    body();
    return true;
  }

  void ReadRows(const Rect& crop, uint8_t* scratch, uint8_t* rgb) {
    const bool cmyk = codec_.num_components == 4;
    codec_.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&codec_);
    // Chroma upsampling looks one chroma sample to each side, so a few columns more make the crop's own exact.
    constexpr int kMargin = 4;
    const int image_width = static_cast<int>(codec_.output_width);
    JDIMENSION left = crop.left > kMargin ? crop.left - kMargin : 0;
    const int right = crop.left + crop.width + kMargin < image_width ? crop.left + crop.width + kMargin : image_width;
    JDIMENSION width = right - left;
    if (static_cast<int>(width) < image_width) jpeg_crop_scanline(&codec_, &left, &width);
    if (crop.top > 0) jpeg_skip_scanlines(&codec_, crop.top);
    const uint8_t* const wanted = scratch + (crop.left - static_cast<int>(left)) * (cmyk ? 4 : 3);
    for (int y = 0; y < crop.height; ++y, rgb += crop.width * 3) {
      JSAMPROW row = scratch;
      jpeg_read_scanlines(&codec_, &row, 1);
      if (cmyk) {
        CmykToRgb(wanted, crop.width, codec_.saw_Adobe_marker, rgb);
      } else {
        std::memcpy(rgb, wanted, static_cast<size_t>(crop.width) * 3);
      }
    }
    jpeg_abort_decompress(&codec_);
  }

  absl::Status Broken() const { return absl::InvalidArgumentError(absl::StrCat("broken JPEG: ", error_.message)); }

  const absl::string_view encoded_;
  jpeg_decompress_struct codec_;
  ErrorState error_;
  bool created_ = false;
};

}  // namespace

absl::StatusOr<ImageSize> ReadJpegSize(absl::string_view encoded) { return JpegReader(encoded).ReadHeader(); }

absl::StatusOr<Pixels> DecodeJpeg(absl::string_view encoded, const Rect* crop, int64_t max_pixels) {
  JpegReader reader(encoded);
  ASSIGN_OR_RETURN(const ImageSize size, reader.ReadHeader());
  ASSIGN_OR_RETURN(const Rect checked, CheckedCrop(size, crop, max_pixels));
  return reader.Decode(checked);
}

}  // namespace mimeo
