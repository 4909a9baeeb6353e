#include "worker/training/starting_encoder.h"

#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "model/weights.h"

namespace mimeo {

absl::StatusOr<StartingEncoder> MakeStartingEncoder(const JobSpec& spec) {
  const Products products = spec.resources().precision() == PRECISION_BF16 ? Products::kBFloat16 : Products::kAsStored;
  StartingEncoder start;
  RETURN_IF_ERROR(CatchTorch([&] {
    start.parameters = std::make_unique<Parameters>(spec.seed(), products);
    start.parameters->set_recompute_blocks(spec.resources().activation_checkpointing());
    start.parameters->set_initial_weights(spec.init());
    start.encoder = MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), start.parameters.get());
  }));
  if (spec.has_init_weights()) {
    ASSIGN_OR_RETURN(start.notes, LoadEncoderInto(spec.init_weights(), spec.encoder(), ImageShapeOf(spec.data()),
                                                  start.parameters.get()));
  }
  return start;
}

}  // namespace mimeo
