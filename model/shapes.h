// The notation of every tensor in this repository: a name's suffix lists its logical dimensions, outermost first.
//
//   B images on this rank     L patches per image (row-major)   D encoder width      P values per patch (p * p * C,
//   V views                   K visible, M hidden; L = K + M    E embedding width      channel fastest)
//   C H W as usual            T teacher width
//
// "mask" is never a tensor's name: what the encoder sees is a MaskPlan of index lists.
#pragma once

namespace mimeo {

struct PatchGrid {
  int rows = 0;
  int cols = 0;
  int patch_px = 0;
  int num_patches() const { return rows * cols; }
};

}  // namespace mimeo
