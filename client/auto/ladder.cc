#include "client/auto/ladder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace mimeo {
namespace {

// An image of fewer patches a side than this is a mosaic in which little is left to learn from.
constexpr int kPatchesPerSideLeast = 6;
// Images of data sets are at least so large, whatever the photos are: smaller ones are scaled up.
constexpr int kImagePxLeast = 16;

// The learning rates: of the two smallest, what docs/benchmarks/methods.md trained with (4e-3 per 256 images at batches
// of 64). Larger encoders take smaller ones, as MAE's and MoCo-v3's authors do; these were not searched for.
// The images: a width of 96 learned in 30,000 images, and one of 192 was behind its untrained self after 20,000 and
// near its teacher after 106,000 (docs/benchmarks/methods.md, quickstart.md). Those of ViT-S and B are guesses, by
// their parameters.
std::vector<Size> Standard() {
  return {{"a ViT of width 96 and depth 4", 48, 48, 8, 96, 4, 3, 0, 1e-3},
          {"a ViT of width 192 and depth 6", 48, 48, 8, 192, 6, 3, 100'000, 1e-3},
          {"a ViT of width 192 and depth 6", 64, 64, 8, 192, 6, 3, 200'000, 1e-3},
          {"ViT-Ti", 96, 96, 12, 192, 12, 3, 500'000, 1e-3},
          {"ViT-S", 128, 128, 16, 384, 12, 6, 2'000'000, 5e-4},
          {"ViT-S", 224, 224, 16, 384, 12, 6, 5'000'000, 5e-4},
          {"ViT-B", 224, 224, 16, 768, 12, 12, 20'000'000, 3e-4}};
}

// As large as the photos allow, with patches that divide it and are small enough to be enough of them.
void ShrinkTo(int photo_px, Size* size) {
  if (photo_px >= size->height_px) return;
  const int px = std::max(kImagePxLeast, photo_px / 8 * 8);
  size->height_px = size->width_px = px;
  size->patch_px = 2;
  for (const int patch : {16, 12, 8, 4}) {
    if (px % patch != 0 || px / patch < kPatchesPerSideLeast) continue;
    size->patch_px = patch;
    return;
  }
}

bool IsAlike(const Size& a, const Size& b) {
  return a.width == b.width && a.depth == b.depth && a.height_px == b.height_px && a.patch_px == b.patch_px;
}

// Of one forward pass over `tokens` tokens: two operations for each weight and token, and the attention.
double ForwardFlops(int64_t parameters, int width, int depth, double tokens) {
  return 2.0 * static_cast<double>(parameters) * tokens + 4.0 * tokens * tokens * width * depth;
}

}  // namespace

int64_t Size::parameters() const {
  return int64_t{12} * width * width * depth + int64_t{3} * patch_px * patch_px * width;
}

std::vector<Size> Ladder(int photo_px) {
  std::vector<Size> sizes;
  for (Size size : Standard()) {
    ShrinkTo(photo_px, &size);
    if (sizes.empty() || !IsAlike(sizes.back(), size)) sizes.push_back(size);
  }
  return sizes;
}

std::vector<Size> SizesFor(const WeightsDescription& weights, int photo_px) {
  const EncoderSpec& encoder = weights.encoder;
  Size own;
  own.name = "the encoder of these weights";
  own.height_px = weights.height_px;
  own.width_px = weights.width_px;
  if (encoder.has_conv_vit()) {
    own.patch_px = 4 * encoder.conv_vit().stem_px();
    own.width = encoder.conv_vit().width();
    own.depth = encoder.conv_vit().depth() + 2;  // its two stages cost about as much as two blocks
  } else {
    own.patch_px = encoder.vit().patch_px();
    own.width = encoder.vit().width();
    own.depth = encoder.vit().depth();
  }
  // A tenth of what random weights get: these are good already.
  own.peak_rate = own.width >= 384 ? 5e-5 : 1e-4;
  std::vector<Size> sizes;
  const int side = own.height_px / own.patch_px;
  for (int patches = kPatchesPerSideLeast; patches < side && own.height_px == own.width_px; patches += 2) {
    Size smaller = own;
    smaller.height_px = smaller.width_px = patches * own.patch_px;
    if (smaller.height_px <= photo_px) sizes.push_back(smaller);
  }
  if (own.height_px <= photo_px || sizes.empty()) sizes.push_back(own);
  return sizes;
}

double TrainingFlops(const Size& size, Method method, int64_t teacher_parameters) {
  constexpr double kForwardAndBackward = 3;
  constexpr double kSeen = 0.25;  // of the patches under the mask of MAE and of mimicking
  const double patches = size.patches();
  const auto encoder = [&](double tokens) {
    return kForwardAndBackward * ForwardFlops(size.parameters(), size.width, size.depth, tokens);
  };
  switch (method) {
    case Method::kSimClr:
      return 2 * encoder(patches + 1);
    case Method::kMae: {
      const int width = std::max(32, size.width / 2);
      return encoder(kSeen * patches + 1) +
             kForwardAndBackward * ForwardFlops(int64_t{12} * width * width * 2, width, 2, patches + 1);
    }
    case Method::kMimic:
      return encoder(kSeen * patches + 1) + 2.0 * static_cast<double>(teacher_parameters) * patches;
  }
  return 0;
}

double LookFlops(const Size& size) {
  return ForwardFlops(size.parameters(), size.width, size.depth, size.patches() + 1);
}

}  // namespace mimeo
