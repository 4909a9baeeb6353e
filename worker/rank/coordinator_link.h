// Rank 0's link to the coordinator: step metrics and checkpoints, sent behind training's back. While the coordinator is
// away everything waits here, within bounds, and training goes on. Thread-safe; its threads end in the destructor.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rpc/channel_options.h"
#include "proto/checkpoint.pb.h"
#include "proto/metrics.pb.h"

namespace mimeo {

class CoordinatorLink {
 public:
  virtual ~CoordinatorLink() = default;

  // Never block. Beyond limits::kStepsSpooled the oldest step is dropped, and counted in a warning.
  virtual void ReportStep(const StepMetrics& step) = 0;
  virtual void ReportEvaluation(const EvaluationResult& evaluation) = 0;

  // Takes a snapshot for upload; the link fills in chunks, digests and content id. `serialize` gives its safetensors
  // stream: it is called at most once, on a thread of the link, and an error of it refuses the checkpoint. Never
  // blocks: one upload is in flight, one waits, and a newer one replaces the one that waits.
  virtual void SubmitCheckpoint(CheckpointManifest manifest,
                                std::function<absl::StatusOr<std::string>()> serialize) = 0;
  virtual int64_t committed_step() const = 0;  // 0: none by this process
  // What the newest committed checkpoint took: its manifest's pause, and its writing and upload. Zero: none by this
  // process.
  virtual absl::Duration checkpoint_time() const = 0;

  // Waits until everything given so far was sent and committed. FailedPrecondition: this generation is fenced (nothing
  // more will ever be sent). DeadlineExceeded.
  virtual absl::Status Drain(absl::Time deadline) = 0;

  // Not OK once the generation is known to be fenced.
  virtual absl::Status status() const = 0;

  static std::unique_ptr<CoordinatorLink> Open(const ChannelOptions& channels, const std::string& coordinator_address,
                                               const std::string& job_id, int64_t generation);
};

// The bytes of the job's committed checkpoint of `step`, verified chunk by chunk. `on_bytes` hears how many there are
// so far. Retries while the coordinator is away, until `deadline`. NotFound; DataLoss names the chunk.
absl::StatusOr<std::string> DownloadCheckpoint(const ChannelOptions& channels, const std::string& coordinator_address,
                                               const std::string& job_id, int64_t step, absl::Time deadline,
                                               const std::function<void(int64_t)>& on_bytes);

}  // namespace mimeo
