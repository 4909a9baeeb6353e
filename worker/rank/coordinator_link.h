// Rank 0's link to the coordinator: step metrics and checkpoints, sent behind training's back. While the coordinator is
// away everything waits here, within bounds, and training goes on. Thread-safe; its threads end in the destructor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rpc/channel_options.h"
#include "worker/training/ports.h"

namespace mimeo {

// Beyond limits::kStepsSpooled the oldest step is dropped, and counted in a warning. One upload of a checkpoint is in
// flight.
class CoordinatorLink : public StepSink, public CheckpointSink {
 public:
  static std::unique_ptr<CoordinatorLink> Open(const ChannelOptions& channels, const std::string& coordinator_address,
                                               const std::string& job_id, int64_t generation);
};

// The bytes of the job's committed checkpoint of `step`, verified chunk by chunk. `on_bytes` hears how many there are
// so far. Retries while the coordinator is away, until `deadline`. NotFound; DataLoss names the chunk.
absl::StatusOr<std::string> DownloadCheckpoint(const ChannelOptions& channels, const std::string& coordinator_address,
                                               const std::string& job_id, int64_t step, absl::Time deadline,
                                               const std::function<void(int64_t)>& on_bytes);

}  // namespace mimeo
