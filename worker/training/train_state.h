// Everything that a resumed run needs, as one safetensors stream: parameters under their own names, AdamW's moments under
// "optimizer.", the encoder's average under "ema.", and position and resolved job as text metadata (docs/decisions/0005). One thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/parameters.h"
#include "proto/checkpoint.pb.h"
#include "proto/job.pb.h"
#include "worker/training/model_average.h"
#include "worker/training/optimizer.h"

namespace mimeo {

struct TrainPosition {
  int64_t step = 0;      // updates done
  LoaderPosition next;   // where the next step's batch begins
};

// Observed, not owned.
struct TrainState {
  const Parameters* parameters = nullptr;
  const AdamW* optimizer = nullptr;
  const ModelAverage* average = nullptr;  // null: the job keeps none
};

// Copies everything; from then on training may go on.
std::string SerializeTrainState(const TrainState& state, const JobSpec& spec, const TrainPosition& position);

// Writes the stream's tensors into `state`. DataLoss: truncated or without position.
// FailedPrecondition: tensors are missing, unknown or of another shape (all are named); then nothing was changed.
absl::StatusOr<TrainPosition> RestoreTrainState(absl::string_view stream, const TrainState& state);

}  // namespace mimeo
