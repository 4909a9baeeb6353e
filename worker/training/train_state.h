// Everything that a resumed run needs, as one safetensors stream: parameters under their own names, AdamW's moments
// under "optimizer.", the encoder's average under "ema.", and position and resolved job as text metadata
// (docs/decisions/0005). One thread, but for snapshots.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/parameters.h"
#include "proto/checkpoint.pb.h"
#include "proto/job.pb.h"
#include "worker/training/model_average.h"
#include "worker/training/optimizer.h"
#include "worker/training/side_stream.h"

namespace mimeo {

struct TrainPosition {
  int64_t step = 0;               // updates done
  LoaderPosition next;            // where the next step's batch begins
  std::set<int64_t> bad_samples;  // met so far, by all ranks; older checkpoints say of none
};

// Observed, not owned.
struct TrainState {
  const Parameters* parameters = nullptr;
  const AdamW* optimizer = nullptr;
  const ModelAverage* average = nullptr;  // null: the job keeps none
};

// The state at one moment.
class TrainSnapshot {
 public:
  // Copies everything, where it is (a GPU's stays on the GPU: its memory must hold it twice for a while); from then on
  // training may go on. That is the pause that training makes. May throw (libtorch). FailedPrecondition: a value is not
  // finite (the first such tensor is named). No step makes such a state well again, so there is no snapshot of it that
  // could be committed over a good one.
  static absl::StatusOr<std::shared_ptr<const TrainSnapshot>> Take(const TrainState& state, const JobSpec& spec,
                                                                   const TrainPosition& position);

  // The stream. Any thread, beside training: a GPU's copy comes to the host on a stream of its own. May throw
  // (libtorch).
  std::string Serialize() const;
  int64_t bytes() const;  // of tensors

 private:
  TrainSnapshot() = default;
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
  DeviceMark taken_;
  at::Device device_ = at::kCPU;
};

// Writes the stream's tensors into `state`. Streams of earlier versions, in which all parameters count their steps
// together, are read too. DataLoss: truncated, without position, or with a value that is not finite (its tensor is
// named). FailedPrecondition: tensors are missing, unknown or of another shape (all are named); then nothing was
// changed.
absl::StatusOr<TrainPosition> RestoreTrainState(absl::string_view stream, const TrainState& state);

}  // namespace mimeo
