// Reads a committed checkpoint from the coordinator, and verifies each chunk on the way. All readers use it: a rank
// reads into memory, the client into a file. Free functions, thread-safe; a download blocks the thread that asks for
// it.
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
  // The optimizer step of the checkpoint. 0: the newest one that the job has.
  int64_t step = 0;
  // Where it is set, a coordinator that is away is waited for until then (by the real clock's Now()), and a download
  // that was broken off goes on with the next chunk. Where it is not set, there is one attempt.
  std::optional<absl::Time> wait_until;
};

// Calls `take` with one chunk after another, in order and each once, after the chunk was found to match its digest in
// the manifest. Returns the manifest when every byte has come. An error of `take` ends the download and is returned.
// After an error `take` may have had a part of the chunks, so the caller throws away what it made of them.
//
// NotFound: there is no such checkpoint. DataLoss: what came is not what the manifest says, or the manifest is that of
// another checkpoint; the error names the chunk and the numbers. DeadlineExceeded: the coordinator did not answer until
// `wait_until`. Any other error is that of the call.
absl::StatusOr<CheckpointManifest> DownloadChunks(
    const CheckpointSource& source,
    const std::function<absl::Status(const CheckpointManifest& manifest, absl::string_view chunk)>& take);

// How long a call may take that moves so many bytes: a minute, and a second for each MiB. A link that is slower than
// that is as good as broken.
absl::Duration TransferDeadline(int64_t bytes);

// The checkpoint's name in messages: "checkpoint of job j1 at step 10".
std::string CheckpointName(const CheckpointManifest& manifest);

}  // namespace mimeo
