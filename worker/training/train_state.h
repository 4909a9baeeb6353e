// Everything that a resumed run needs, as one safetensors stream: parameters under their own names, AdamW's moments under
// "optimizer.", and position and resolved job as text metadata (docs/decisions/0005). One thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/parameters.h"
#include "proto/checkpoint.pb.h"
#include "proto/job.pb.h"
#include "worker/training/optimizer.h"

namespace mimeo {

struct TrainPosition {
  int64_t step = 0;      // updates done
  LoaderPosition next;   // where the next step's batch begins
};

// Copies everything; from then on training may go on.
std::string SerializeTrainState(const Parameters& parameters, const AdamW& optimizer, const JobSpec& spec,
                                const TrainPosition& position);

// Writes the stream's tensors into `parameters` and `optimizer`. DataLoss: truncated or without position.
// FailedPrecondition: tensors are missing, unknown or of another shape (all are named); then nothing was changed.
absl::StatusOr<TrainPosition> RestoreTrainState(absl::string_view stream, const Parameters& parameters, const AdamW& optimizer);

}  // namespace mimeo
