#include "worker/training/model_parts.h"

#include <utility>

#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "model/weights.h"

namespace mimeo {

absl::StatusOr<ModelParts> MakeModelParts(const JobSpec& spec, ObjectiveSum::Context context, at::Device device) {
  const Products products = spec.resources().precision() == PRECISION_BF16 ? Products::kBFloat16 : Products::kAsStored;
  ModelParts parts;
  absl::StatusOr<std::unique_ptr<ObjectiveSum>> objectives;
  RETURN_IF_ERROR(CatchTorch([&] {
    parts.parameters = std::make_unique<Parameters>(spec.seed(), products);
    parts.parameters->set_recompute_blocks(spec.resources().activation_checkpointing());
    parts.parameters->set_initial_weights(spec.init());
    if (spec.has_ema()) {
      parts.average = std::make_unique<ModelAverage>(spec, products);
      context.averaged = parts.average->parameters();
    }
    parts.encoder = MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), parts.parameters.get());
    objectives = ObjectiveSum::Create(spec, *parts.encoder, context, parts.parameters.get());
  }));
  RETURN_IF_ERROR(objectives.status());
  parts.objectives = *std::move(objectives);
  if (spec.has_init_weights()) {
    ASSIGN_OR_RETURN(parts.notes, LoadEncoderInto(spec.init_weights(), spec.encoder(), ImageShapeOf(spec.data()),
                                                  parts.parameters.get()));
  }
  RETURN_IF_ERROR(CatchTorch([&] {
    parts.parameters->To(device, at::kFloat);
    parts.optimizer = std::make_unique<AdamW>(parts.parameters.get(), spec);
    if (parts.average != nullptr) parts.average->Start(*parts.parameters);
  }));
  return parts;
}

}  // namespace mimeo
