// The job that a checkpoint says it belongs to. Pure; no torch.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/safetensors.h"
#include "proto/job.pb.h"

namespace mimeo {

// From the metadata key `job`, which holds the resolved job's text. InvalidArgument: no such key (so it is not a
// checkpoint of Mimeo), or its text is no job. `path` is for the message.
absl::StatusOr<JobSpec> JobOfCheckpoint(const SafetensorsView& checkpoint, const std::string& path);

}  // namespace mimeo
