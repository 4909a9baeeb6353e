#include "data/decode.h"

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <jpeglib.h>
#include <png.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/random_key.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using testing::StatusIs;

constexpr int64_t kMaxPixels = 1000000;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

std::string TestFile(const std::string& name) { return ReadFile(absl::StrCat("data/testdata/", name)).value(); }

Pixels Noise(int width, int height) {
  Pixels pixels{width, height, {}};
  const RandomKey key(5);
  for (int i = 0; i < width * height * 3; ++i) {
    // A wave with noise on it: both smooth chroma and edges.
    pixels.rgb.push_back(static_cast<uint8_t>((i / 3 % width * 4 + i / 3 / width * 3 + key.Below(90, i)) % 256));
  }
  return pixels;
}

struct JpegOptions {
  int components = 3;  // 3: from RGB; 4: the pixels' bytes are read as CMYK
  int horizontal = 1;  // luma samples per chroma sample
  int vertical = 1;
  bool progressive = false;
  J_COLOR_SPACE color_space = JCS_YCbCr;
  bool adobe_marker = true;
  std::vector<jpeg_scan_info> scans = {};  // in place of `progressive`
};

std::string EncodeJpeg(const std::vector<uint8_t>& samples, int width, int height, const JpegOptions& options) {
  jpeg_compress_struct codec;
  jpeg_error_mgr error;
  codec.err = jpeg_std_error(&error);
  jpeg_create_compress(&codec);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&codec, &bytes, &size);
  codec.image_width = width;
  codec.image_height = height;
  codec.input_components = options.components;
  codec.in_color_space = options.components == 4 ? JCS_CMYK : JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_colorspace(&codec, options.color_space);
  jpeg_set_quality(&codec, 97, TRUE);
  if (options.progressive) jpeg_simple_progression(&codec);
  if (!options.scans.empty()) {
    codec.scan_info = options.scans.data();
    codec.num_scans = static_cast<int>(options.scans.size());
  }
  codec.comp_info[0].h_samp_factor = options.horizontal;
  codec.comp_info[0].v_samp_factor = options.vertical;
  if (!options.adobe_marker) codec.write_Adobe_marker = FALSE;
  jpeg_start_compress(&codec, TRUE);
  for (int y = 0; y < height; ++y) {
    JSAMPROW row = const_cast<uint8_t*>(samples.data()) + static_cast<size_t>(y) * width * options.components;
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  std::string encoded(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&codec);
  free(bytes);
  return encoded;
}

int LargestDifference(const Pixels& a, const Pixels& b) {
  if (a.width != b.width || a.height != b.height) return 256;
  int largest = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

void ExpectCropsEqualTheWhole(const std::string& encoded, int crops) {
  ASSERT_OK_AND_ASSIGN(const Pixels whole, DecodeImage(encoded, kMaxPixels));
  const RandomKey key(11);
  for (int i = 0; i < crops; ++i) {
    Rect crop;
    crop.width = 1 + key.Below(whole.width, i * 4);
    crop.height = 1 + key.Below(whole.height, i * 4 + 1);
    crop.left = key.Below(whole.width - crop.width + 1, i * 4 + 2);
    crop.top = key.Below(whole.height - crop.height + 1, i * 4 + 3);
    ASSERT_OK_AND_ASSIGN(const Pixels cut, DecodeCrop(encoded, crop, kMaxPixels));
    ASSERT_EQ(LargestDifference(cut, CutPixels(whole, crop)), 0)
        << crop.width << " x " << crop.height << " at " << crop.left << ", " << crop.top;
  }
}

TEST(DecodeCropTest, OfAJpegEqualsTheWholeForEverySubsampling) {
  const Pixels pixels = Noise(197, 131);
  for (const bool progressive : {false, true}) {
    for (const auto& [horizontal, vertical] :
         std::vector<std::pair<int, int>>{{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}}) {
      SCOPED_TRACE(absl::StrCat(horizontal, "x", vertical, progressive ? " progressive" : ""));
      ExpectCropsEqualTheWhole(EncodeJpeg(pixels.rgb, 197, 131, {3, horizontal, vertical, progressive}), 40);
    }
  }
}

// libjpeg smooths the blocks of such a file.
TEST(DecodeCropTest, OfAnUnfinishedProgressiveJpegEqualsTheWhole) {
  const Pixels pixels = Noise(197, 131);
  const jpeg_scan_info constants = {3, {0, 1, 2}, 0, 0, 0, 0};
  const jpeg_scan_info rough_constants = {3, {0, 1, 2}, 0, 0, 0, 1};
  const jpeg_scan_info luma_waves = {1, {0}, 1, 5, 0, 2};
  for (const std::vector<jpeg_scan_info>& scans :
       {std::vector<jpeg_scan_info>{constants}, std::vector<jpeg_scan_info>{rough_constants},
        std::vector<jpeg_scan_info>{constants, luma_waves}}) {
    for (const auto& [horizontal, vertical] : std::vector<std::pair<int, int>>{{1, 1}, {2, 1}, {2, 2}}) {
      SCOPED_TRACE(absl::StrCat(scans.size(), " scans, ", horizontal, "x", vertical));
      JpegOptions options;
      options.horizontal = horizontal;
      options.vertical = vertical;
      options.scans = scans;
      ExpectCropsEqualTheWhole(EncodeJpeg(pixels.rgb, 197, 131, options), 40);
    }
  }
}

TEST(DecodeCropTest, OfARealPhotoEqualsTheWhole) { ExpectCropsEqualTheWhole(TestFile("photo.jpg"), 100); }

TEST(DecodeCropTest, OfOtherFormatsEqualsTheWhole) {
  for (const char* name :
       {"grey.png", "rgb16.png", "alpha.png", "lossy.webp", "lossless.webp", "cmyk.jpg", "grey.jpg"}) {
    SCOPED_TRACE(name);
    ExpectCropsEqualTheWhole(TestFile(name), 30);
  }
}

TEST(DecodeCropTest, OutsideTheImageIsRefused) {
  const std::string encoded = TestFile("grey.png");  // 24 x 16
  for (const Rect& crop : {Rect{20, 0, 5, 5}, Rect{0, 12, 5, 5}, Rect{-1, 0, 5, 5}, Rect{0, 0, 0, 5}}) {
    EXPECT_THAT(DecodeCrop(encoded, crop, kMaxPixels), StatusIs(kInvalid, "is not inside 24 x 16 pixels"));
  }
}

TEST(DecodeImageTest, GivesPillowsPixels) {
  for (const char* name : {"photo.jpg", "grey.jpg", "grey.png", "grey16.png", "rgb16.png", "palette.png", "one_bit.png",
                           "alpha.png", "grey_alpha.png", "one_pixel.png", "lossy.webp", "lossless.webp"}) {
    ASSERT_OK_AND_ASSIGN(const Pixels pixels, DecodeImage(TestFile(name), kMaxPixels));
    ASSERT_OK_AND_ASSIGN(const Pixels expected, DecodeImage(TestFile(absl::StrCat(name, ".rgb.png")), kMaxPixels));
    EXPECT_EQ(LargestDifference(pixels, expected), 0) << name;
  }
}

TEST(DecodeImageTest, CmykBecomesRgbAsInPillow) {
  ASSERT_OK_AND_ASSIGN(const Pixels pixels, DecodeImage(TestFile("cmyk.jpg"), kMaxPixels));
  ASSERT_OK_AND_ASSIGN(const Pixels expected, DecodeImage(TestFile("cmyk.jpg.rgb.png"), kMaxPixels));
  EXPECT_EQ(LargestDifference(pixels, expected), 0);
}

// Ink of one colour, 16 x 16. Adobe stores 255 - ink.
Pixels DecodedInk(std::vector<uint8_t> cmyk, J_COLOR_SPACE color_space, bool adobe_marker) {
  std::vector<uint8_t> samples;
  for (int i = 0; i < 16 * 16; ++i) samples.insert(samples.end(), cmyk.begin(), cmyk.end());
  JpegOptions options;
  options.components = 4;
  options.color_space = color_space;
  options.adobe_marker = adobe_marker;
  return DecodeImage(EncodeJpeg(samples, 16, 16, options), kMaxPixels).value();
}

TEST(DecodeImageTest, CmykIsInvertedWithAndWithoutAdobesMarker) {
  // Ink: cyan 200, yellow 40, no magenta, black 30. Light left by black: 225; red = (255 - 200) * 225 / 255.
  const std::vector<uint8_t> inverted_ink = {55, 255, 215, 225};
  const std::vector<uint8_t> expected = {49, 225, 190};
  for (const Pixels& pixels : {DecodedInk(inverted_ink, JCS_CMYK, /*adobe_marker=*/false),
                               DecodedInk(inverted_ink, JCS_CMYK, /*adobe_marker=*/true),
                               DecodedInk(inverted_ink, JCS_YCCK, /*adobe_marker=*/true)}) {
    ASSERT_EQ(pixels.width, 16);
    for (int channel = 0; channel < 3; ++channel) EXPECT_NEAR(pixels.rgb[channel], expected[channel], 3) << channel;
  }
}

TEST(DecodeImageTest, ReadsInterlacedPng) {
  const Pixels pixels = Noise(37, 29);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  std::string encoded;
  png_set_write_fn(
      png, &encoded,
      [](png_structp p, png_bytep bytes, size_t size) {
        static_cast<std::string*>(png_get_io_ptr(p))->append(reinterpret_cast<char*>(bytes), size);
      },
      nullptr);
  png_set_IHDR(png, info, 37, 29, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_ADAM7, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_bytep> rows;
  for (int y = 0; y < 29; ++y) rows.push_back(const_cast<png_bytep>(&pixels.rgb[y * 37 * 3]));
  png_set_rows(png, info, rows.data());
  png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
  png_destroy_write_struct(&png, &info);
  ASSERT_OK_AND_ASSIGN(const Pixels decoded, DecodeImage(encoded, kMaxPixels));
  EXPECT_EQ(decoded.rgb, pixels.rgb);
  ExpectCropsEqualTheWhole(encoded, 20);
}

// Phones, cameras and cloud stores append things of their own.
TEST(DecodeImageTest, WhatLiesBehindThePictureIsIgnored) {
  for (const char* name : {"photo.jpg", "rgb16.png", "grey.png", "lossy.webp", "lossless.webp"}) {
    const std::string encoded = TestFile(name);
    ASSERT_OK_AND_ASSIGN(const Pixels expected, DecodeImage(encoded, kMaxPixels));
    for (const size_t size : {1, 100, 4084, 4096, 20000}) {
      for (const char filling : {'\0', '\x7F', '\xFF'}) {
        ASSERT_OK_AND_ASSIGN(const Pixels pixels, DecodeImage(encoded + std::string(size, filling), kMaxPixels));
        EXPECT_EQ(pixels.rgb, expected.rgb) << name << ", " << size << " bytes";
      }
    }
  }
}

std::string WithLastScanRepeated(const std::string& jpeg, int times) {
  const size_t scan = jpeg.rfind("\xFF\xDA");
  const size_t end = jpeg.size() - 2;  // the end-of-image marker
  std::string repeated = jpeg.substr(0, end);
  for (int i = 0; i < times; ++i) repeated += jpeg.substr(scan, end - scan);
  return repeated + jpeg.substr(end);
}

TEST(DecodeImageTest, RefusesAJpegOfTooManyScans) {
  JpegOptions options;
  options.scans = {{3, {0, 1, 2}, 0, 0, 0, 0}};
  const std::string encoded = EncodeJpeg(Noise(24, 16).rgb, 24, 16, options);
  EXPECT_OK(DecodeImage(WithLastScanRepeated(encoded, 499), kMaxPixels));
  EXPECT_THAT(DecodeImage(WithLastScanRepeated(encoded, 500), kMaxPixels),
              StatusIs(kInvalid, "a JPEG of more than 500 scans"));
  EXPECT_THAT(DecodeCrop(WithLastScanRepeated(encoded, 500), {0, 0, 1, 1}, kMaxPixels),
              StatusIs(kInvalid, "a JPEG of more than 500 scans"));
  EXPECT_OK(DecodeImage(WithLastScanRepeated(encoded, 10) + WithLastScanRepeated(encoded, 600), kMaxPixels))
      << "a picture behind the picture";
}

TEST(DecodeImageTest, RefusesTruncatedFilesWhateverTheCrop) {
  for (const char* name : {"photo.jpg", "rgb16.png", "lossy.webp"}) {
    const std::string encoded = TestFile(name);
    for (const double share : {0.3, 0.6, 0.95}) {
      const std::string cut = encoded.substr(0, encoded.size() * share);
      EXPECT_THAT(DecodeImage(cut, kMaxPixels), StatusIs(kInvalid)) << name << " " << share;
      EXPECT_THAT(DecodeCrop(cut, {0, 0, 4, 1}, kMaxPixels), StatusIs(kInvalid)) << name << " " << share;
    }
  }
  EXPECT_THAT(DecodeImage(TestFile("photo.jpg").substr(0, 5000), kMaxPixels), StatusIs(kInvalid, "truncated JPEG"));
}

TEST(DecodeImageTest, RefusesWhatIsNoImage) {
  EXPECT_THAT(DecodeImage("", kMaxPixels), StatusIs(kInvalid, "an empty file"));
  EXPECT_THAT(DecodeImage("hello, I am text", kMaxPixels), StatusIs(kInvalid, "starts with \"hello, I am \""));
  EXPECT_THAT(ReadImageSize("GIF89a"), StatusIs(kInvalid, "not a JPEG, PNG or WebP"));
  EXPECT_THAT(DecodeImage("\xFF\xD8\xFF garbage", kMaxPixels), StatusIs(kInvalid, "broken JPEG"));
  EXPECT_THAT(DecodeImage("\x89PNG\r\n\x1A\n garbage IEND", kMaxPixels), StatusIs(kInvalid, "broken PNG"));
  EXPECT_THAT(ReadImageSize("RIFF\1\1\1\1WEBPVP8 "), StatusIs(kInvalid, "WebP"));
}

TEST(DecodeImageTest, RefusesAnAnimation) {
  EXPECT_THAT(DecodeImage(TestFile("animated.webp"), kMaxPixels), StatusIs(kInvalid, "an animated WebP"));
  EXPECT_THAT(ReadImageSize(TestFile("animated.webp")), StatusIs(kInvalid, "an animated WebP"));
}

TEST(DecodeImageTest, RefusesTooManyPixelsByTheHeaderAlone) {
  // Only the header says 60,000 x 60,000: a decoder that allocates first would need 10 GB.
  std::string png = TestFile("rgb16.png");
  png.replace(16, 8, std::string("\0\0\xEA\x60\0\0\xEA\x60", 8));
  EXPECT_FALSE(DecodeImage(png, kMaxPixels).ok());
  for (const char* name : {"photo.jpg", "rgb16.png", "lossy.webp"}) {
    EXPECT_THAT(DecodeImage(TestFile(name), 300), StatusIs(kInvalid, "over the limit of 300 (data.max_pixels)"))
        << name;
  }
  EXPECT_OK(DecodeImage(TestFile("rgb16.png"), 24 * 16));
}

TEST(ReadImageSizeTest, ReadsEveryFormat) {
  for (const char* name : {"cmyk.jpg", "grey16.png", "lossy.webp", "lossless.webp"}) {
    ASSERT_OK_AND_ASSIGN(const ImageSize size, ReadImageSize(TestFile(name)));
    EXPECT_EQ(size.width, 24) << name;
    EXPECT_EQ(size.height, 16) << name;
  }
  ASSERT_OK_AND_ASSIGN(const ImageSize wide, ReadImageSize(TestFile("wide.png")));
  EXPECT_EQ(wide.width, 10000);
  EXPECT_EQ(wide.height, 1);
}

TEST(DecodeImageTest, IgnoresExifOrientation) {
  const std::string photo = TestFile("photo.jpg");
  // APP1 with one tag: orientation 6, "turn by 90 degrees".
  const std::string exif(
      "\xFF\xE1\x00\x22"
      "Exif\0\0"
      "MM\0\x2A\0\0\0\x08"
      "\0\x01"
      "\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
      "\0\0\0\0",
      36);
  const std::string turned = photo.substr(0, 2) + exif + photo.substr(2);
  EXPECT_EQ(DecodeImage(turned, kMaxPixels).value().rgb, DecodeImage(photo, kMaxPixels).value().rgb);
  EXPECT_EQ(ReadImageSize(turned).value().width, 160);
}

TEST(EncodePngTest, ReadsBackEqual) {
  const Pixels pixels = Noise(33, 21);
  ASSERT_OK_AND_ASSIGN(const Pixels back, DecodeImage(EncodePng(pixels), kMaxPixels));
  EXPECT_EQ(back.width, 33);
  EXPECT_EQ(back.rgb, pixels.rgb);
}

}  // namespace
}  // namespace mimeo
