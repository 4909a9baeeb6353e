#include "worker/training/model_parts.h"

#include <utility>

#include "base/status_macros.h"
#include "model/catch_torch.h"
#include "worker/training/starting_encoder.h"

namespace mimeo {

absl::StatusOr<ModelParts> MakeModelParts(const JobSpec& spec, ObjectiveSum::Context context, at::Device device) {
  ASSIGN_OR_RETURN(StartingEncoder start, MakeStartingEncoder(spec));
  ModelParts parts;
  parts.parameters = std::move(start.parameters);
  parts.encoder = std::move(start.encoder);
  parts.notes = std::move(start.notes);
  absl::StatusOr<std::unique_ptr<ObjectiveSum>> objectives;
  RETURN_IF_ERROR(CatchTorch([&] {
    if (spec.has_ema()) {
      parts.average = std::make_unique<ModelAverage>(spec, parts.parameters->products());
      context.averaged = parts.average->parameters();
    }
    objectives = ObjectiveSum::Create(spec, *parts.encoder, context, parts.parameters.get());
  }));
  RETURN_IF_ERROR(objectives.status());
  parts.objectives = *std::move(objectives);
  RETURN_IF_ERROR(CatchTorch([&] {
    parts.parameters->To(device, at::kFloat);
    parts.optimizer = std::make_unique<AdamW>(parts.parameters.get(), spec);
    if (parts.average != nullptr) parts.average->Start(*parts.parameters);
  }));
  return parts;
}

}  // namespace mimeo
