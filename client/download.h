// Downloads a committed checkpoint from the coordinator into a file.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/rpc/channel_options.h"

namespace mimeo {

// `step` 0: the newest. `path` appears when every chunk is there and verified. Errors: those of
// base/rpc/checkpoint_download.h, after one attempt; ResourceExhausted: the disk is full.
absl::Status DownloadCheckpointFile(const ChannelOptions& channels, const std::string& coordinator_address,
                                    const std::string& job_id, int64_t step, const std::string& path);

}  // namespace mimeo
