// Downloads a committed checkpoint from the coordinator into a file.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace mimeo {

// Downloads the checkpoint of `step`; 0 means the newest. Each chunk is verified against the manifest, and `path`
// appears only when all of them are there. NotFound: there is no such checkpoint. DataLoss: a chunk is damaged; names
// it.
absl::Status DownloadCheckpointFile(const std::shared_ptr<grpc::Channel>& channel, const std::string& job_id,
                                    int64_t step, const std::string& path);

}  // namespace mimeo
