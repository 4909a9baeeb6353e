// The notation of every tensor in this repository: the suffix of a name lists its logical dimensions, outermost first.
//
//   B images on this rank     L patches per image (row-major)   D encoder width      P values per patch (p * p * C,
//   V views                   K visible, M hidden; L = K + M    E embedding width      channel fastest)
//   C H W as usual            T teacher width                   N tokens or rows
//
// No tensor is called "mask": what the encoder sees is a MaskPlan of index lists (model/mask_plan.h).
#pragma once

namespace mimeo {

// The shape of the images that an encoder is made for.
struct ImageShape {
  int channels = 3;
  int height_px = 0;
  int width_px = 0;
  friend bool operator==(const ImageShape& a, const ImageShape& b) {
    return a.channels == b.channels && a.height_px == b.height_px && a.width_px == b.width_px;
  }
};

// How an image is cut into patches; row-major, so patch i is in row i / cols and column i % cols.
struct PatchGrid {
  int rows = 0;
  int cols = 0;
  int patch_px = 0;
  int num_patches() const { return rows * cols; }
};

// REQUIRES: patches tile the image; a rest at the right or lower edge would be left out.
inline PatchGrid GridOf(const ImageShape& image, int patch_px) {
  return {image.height_px / patch_px, image.width_px / patch_px, patch_px};
}

}  // namespace mimeo
