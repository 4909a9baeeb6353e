#include "objective/reconstruction.h"

#include <ATen/TensorOperators.h>

#include "model/patches.h"
#include "objective/losses.h"

namespace mimeo {

Reconstruction::Reconstruction(const ReconstructionSpec& spec, const Encoder& encoder, const std::string& prefix,
                               Parameters* parameters)
    : patch_px_(encoder.grid().patch_px),
      normalizes_patches_(spec.normalize_patches()),
      decoder_(spec, encoder, prefix, parameters) {}

at::Tensor Reconstruction::Compute(const ForwardPass& pass) const {
  at::Tensor sum;
  for (size_t v = 0; v < pass.views.size(); ++v) {
    const ViewInput& view = pass.views[v];
    at::Tensor target = TakePatches(Patchify(view.images_BCHW, patch_px_), view.plan.hidden_BM);
    if (normalizes_patches_) target = NormalizePatches(target);
    const at::Tensor loss = ReconstructionLoss(decoder_.Predict(pass.encodings[v], view.plan), target);
    sum = sum.defined() ? sum + loss : loss;
  }
  return sum / static_cast<double>(pass.views.size());
}

}  // namespace mimeo
