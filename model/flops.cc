#include "model/flops.h"

namespace mimeo {
namespace {

// Multiply-adds of `depth` blocks over `tokens` tokens.
double Blocks(double depth, double tokens, double width, double mlp_ratio) {
  return depth * ((4 + 2 * mlp_ratio) * tokens * width * width + 2 * tokens * tokens * width);
}

}  // namespace

double TrainGflopPerImage(const JobSpec& spec, int num_visible) {
  const VitSpec& vit = spec.encoder().vit();
  const int side = spec.data().image_px() / vit.patch_px();
  const double num_patches = side * side, patch_values = 3.0 * vit.patch_px() * vit.patch_px(), width = vit.width();
  double multiply_adds = num_patches * patch_values * width + Blocks(vit.depth(), num_visible + 1, width, vit.mlp_ratio());
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (!objective.has_reconstruction()) continue;
    const ReconstructionSpec& decoder = objective.reconstruction();
    const double decoder_width = decoder.decoder_width(), tokens = num_patches + 1;
    multiply_adds += (num_visible + 1) * width * decoder_width +
                     Blocks(decoder.decoder_depth(), tokens, decoder_width, /*mlp_ratio=*/4) +
                     tokens * decoder_width * patch_values;
  }
  constexpr double kForwardAndBackward = 3, kFlopPerMultiplyAdd = 2;
  return multiply_adds * spec.views().count() * kForwardAndBackward * kFlopPerMultiplyAdd / 1e9;
}

}  // namespace mimeo
