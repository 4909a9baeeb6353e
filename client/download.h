// Downloads a committed checkpoint from the coordinator into a file, for `mimeo export` and `mimeo run`.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/rpc/channel_options.h"

namespace mimeo {

// Downloads the checkpoint of `step`, or the newest one where `step` is 0, and blocks until it is there. A file that
// was at `path` is replaced only when every chunk has come and was verified; until then the bytes are in PATH.partial,
// which is removed after an error. There is one attempt. The errors are those of DownloadChunks
// (base/rpc/checkpoint_download.h), and ResourceExhausted when the file cannot be written, as on a full disk.
absl::Status DownloadCheckpointFile(const ChannelOptions& channels, const std::string& coordinator_address,
                                    const std::string& job_id, int64_t step, const std::string& path);

}  // namespace mimeo
