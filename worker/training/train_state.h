// Everything that a resumed run needs, as one safetensors stream: parameters under their own names, AdamW's moments
// under "optimizer.", the encoder's average under "ema.", and position and resolved job as text metadata
// (docs/decisions/0005). One thread, except that Serialize may run on another.
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

// Where a training stands.
struct TrainPosition {
  int64_t step = 0;               // updates done
  LoaderPosition next;            // where the next step's batch begins
  std::set<int64_t> bad_samples;  // met so far by all ranks; checkpoints of earlier versions have none
};

// The parts whose tensors make up the state. They are observed and not owned.
struct TrainState {
  const Parameters* parameters = nullptr;
  const AdamW* optimizer = nullptr;
  const ModelAverage* average = nullptr;  // null: the job keeps none
};

// A copy of the state at one moment.
class TrainSnapshot {
 public:
  // Copies every tensor where it is; so a GPU's memory must hold the state twice for a while. From then on training may
  // go on: this call is the pause that a checkpoint costs. It may throw what libtorch throws. FailedPrecondition: a
  // value is not finite, and the message names the first such tensor. No step makes such a state well again, so there
  // is no snapshot that could be committed over a good one.
  static absl::StatusOr<std::shared_ptr<const TrainSnapshot>> Take(const TrainState& state, const JobSpec& spec,
                                                                   const TrainPosition& position);

  // The safetensors stream. Any thread may call it beside training: a GPU's copy comes to the host on a stream of its
  // own. It blocks until all bytes are there, and may throw what libtorch throws.
  std::string Serialize() const;
  int64_t bytes() const;  // of all tensors

 private:
  TrainSnapshot() = default;
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, std::string> metadata_;
  DeviceMark taken_;
  at::Device device_ = at::kCPU;
};

// Writes the stream's tensors into `state`, in which every value is then bit-equal to the one that was saved. It also
// reads streams of earlier versions, in which all parameters count their steps together. DataLoss: the stream is
// truncated, has no position, or holds a value that is not finite, whose tensor is named. FailedPrecondition: tensors
// are missing, unknown or of another shape; they are named. After an error nothing was changed.
absl::StatusOr<TrainPosition> RestoreTrainState(absl::string_view stream, const TrainState& state);

}  // namespace mimeo
