// Rank 0's link to the coordinator: it sends step metrics and checkpoints while training goes on. While the coordinator
// is away, everything waits here, up to the limits of base/limits.h. Any thread may call it. It has two threads, which
// the destructor ends; what has not been sent by then is lost, so Drain comes first.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rpc/channel_options.h"
#include "worker/training/ports.h"

namespace mimeo {

// Beyond limits::kStepsSpooled the oldest step is dropped, and a warning counts those. One checkpoint is being uploaded
// at a time (worker/training/ports.h says how the others wait). Once the coordinator says that the generation is
// fenced, everything that waits is dropped, and status() says so.
class CoordinatorLink : public StepSink, public CheckpointSink {
 public:
  static std::unique_ptr<CoordinatorLink> Open(const ChannelOptions& channels, const std::string& coordinator_address,
                                               const std::string& job_id, int64_t generation);
};

// Downloads the bytes of the job's committed checkpoint of `step`, and verifies each chunk by its SHA-256. `on_bytes`
// hears how many bytes have come so far. It blocks, and tries again while the coordinator is away, until `deadline`.
// NotFound: the coordinator has no such checkpoint. DataLoss: a chunk is not what the manifest says; the message names
// it.
absl::StatusOr<std::string> DownloadCheckpoint(const ChannelOptions& channels, const std::string& coordinator_address,
                                               const std::string& job_id, int64_t step, absl::Time deadline,
                                               const std::function<void(int64_t)>& on_bytes);

}  // namespace mimeo
