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

constexpr int kMaxScans = 500;  // as libjpeg-turbo's own tools have it; real files have about ten

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

// How many scans begin in `bytes`, which start inside a scan. Counting stops above `limit`. A marker that libjpeg would
// refuse counts as one without contents, so a scan behind it is counted too.
int CountScans(const JOCTET* bytes, size_t size, int limit) {
  constexpr JOCTET kStartOfScan = 0xDA, kFirstRestart = 0xD0, kFirstWithContents = 0xC0;
  const JOCTET* const end = bytes + size;
  int scans = 0;
  while (scans <= limit && end - bytes >= 2) {
    bytes = static_cast<const JOCTET*>(memchr(bytes, 0xFF, end - bytes - 1));
    if (bytes == nullptr) break;
    const JOCTET marker = bytes[1];
    if (marker == 0xFF) {
      ++bytes;  // padding
      continue;
    }
    bytes += 2;
    if (marker == JPEG_EOI) break;
    // 0 stands for a byte FF of the pixel data.
    if (marker < kFirstWithContents || (marker >= kFirstRestart && marker < JPEG_EOI)) continue;
    if (marker == kStartOfScan) ++scans;
    if (end - bytes < 2) break;
    const ptrdiff_t length = bytes[0] << 8 | bytes[1];
    if (length > end - bytes) break;
    bytes += length;
  }
  return scans;
}

// Adobe's programs store 255 - ink. A file without their marker could hold ink as it is, but Pillow and browsers take
// every CMYK JPEG as inverted, and so most writers invert. The value is 255 - ink times 255 - black, rounded: the
// arithmetic of Pillow's CMYK to RGB.
void InvertedCmykToRgb(const uint8_t* cmyk, int width, uint8_t* rgb) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int light = cmyk[3];
    for (int channel = 0; channel < 3; ++channel) {
      const int product = (255 - cmyk[channel]) * light + 128;
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
    // Each scan goes over the whole picture, however few bytes it has.
    if (jpeg_has_multiple_scans(&codec_) &&
        CountScans(codec_.src->next_input_byte, codec_.src->bytes_in_buffer, kMaxScans) >= kMaxScans) {
      return absl::InvalidArgumentError(absl::StrCat("a JPEG of more than ", kMaxScans, " scans"));
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
    JSAMPROW row = scratch;
    int first_column = 0;  // of what libjpeg gives
    if (SmoothsBlocks()) {
      for (int y = 0; y < crop.top; ++y) jpeg_read_scanlines(&codec_, &row, 1);
    } else {
      first_column = NarrowTo(crop);
      if (crop.top > 0) jpeg_skip_scanlines(&codec_, crop.top);
    }
    const uint8_t* const wanted = scratch + (crop.left - first_column) * (cmyk ? 4 : 3);
    for (int y = 0; y < crop.height; ++y, rgb += crop.width * 3) {
      jpeg_read_scanlines(&codec_, &row, 1);
      if (cmyk) {
        InvertedCmykToRgb(wanted, crop.width, rgb);
      } else {
        std::memcpy(rgb, wanted, static_cast<size_t>(crop.width) * 3);
      }
    }
    jpeg_abort_decompress(&codec_);
  }

  // Whether libjpeg may guess, from the blocks around, coefficients that a progressive file lacks. At the edges of a
  // crop it would guess otherwise than in the whole picture. After jpeg_start_decompress, which reads every scan.
  bool SmoothsBlocks() const {
    if (codec_.coef_bits == nullptr) return false;
    for (int component = 0; component < codec_.num_components; ++component) {
      for (int coefficient = 1; coefficient < DCTSIZE2; ++coefficient) {
        if (codec_.coef_bits[component][coefficient] != 0) return true;
      }
    }
    return false;
  }

  // Makes libjpeg give not much more than the columns of `crop`, and returns which column it gives first.
  int NarrowTo(const Rect& crop) {
    // Chroma upsampling looks one chroma sample to each side, so a few columns more make the crop's own exact.
    constexpr int kMargin = 4;
    const int image_width = static_cast<int>(codec_.output_width);
    JDIMENSION left = crop.left > kMargin ? crop.left - kMargin : 0;
    const int right = crop.left + crop.width + kMargin < image_width ? crop.left + crop.width + kMargin : image_width;
    JDIMENSION width = right - left;
    if (static_cast<int>(width) < image_width) jpeg_crop_scanline(&codec_, &left, &width);
    return static_cast<int>(left);
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
