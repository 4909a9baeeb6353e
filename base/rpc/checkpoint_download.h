// A committed checkpoint, from the coordinator's chunk store, verified on the way. Whoever reads one does it through
// this: a rank into memory, the client into a file. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/rpc/channel_options.h"
#include "proto/checkpoint.pb.h"

namespace mimeo {

struct CheckpointSource {
  ChannelOptions channels;
  std::string coordinator_address;
  std::string job_id;
  int64_t step = 0;  // 0: the newest
  // Set: a coordinator that is away is waited for until then, and the download goes on where it was broken off. Unset:
  // there is one attempt.
  std::optional<absl::Time> wait_until;
};

// Gives `take` one chunk after another, in order, each of which matches its digest in the manifest; an error of `take`
// ends the download and is returned. Returns the manifest once every byte of it came.
// NotFound: no such checkpoint. DataLoss: what came is not what the manifest says (names the chunk and the numbers), or
// the manifest is not of this checkpoint. DeadlineExceeded: the coordinator did not answer until `wait_until`.
// Otherwise the call's own error.
absl::StatusOr<CheckpointManifest> DownloadChunks(
    const CheckpointSource& source,
    const std::function<absl::Status(const CheckpointManifest& manifest, absl::string_view chunk)>& take);

// How long a call may take that moves so many bytes. A link that moves less than 1 MiB a second is as good as broken.
absl::Duration TransferDeadline(int64_t bytes);

// "checkpoint of job j1 at step 10".
std::string CheckpointName(const CheckpointManifest& manifest);

}  // namespace mimeo
