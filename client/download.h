// A committed checkpoint from the coordinator's chunk store into a file.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace mimeo {

// `step` 0: the newest. Every chunk is verified against the manifest; `path` appears when all of them are there.
// NotFound: no such checkpoint. DataLoss names the chunk.
absl::Status DownloadCheckpointFile(const std::shared_ptr<grpc::Channel>& channel, const std::string& job_id,
                                    int64_t step, const std::string& path);

}  // namespace mimeo
