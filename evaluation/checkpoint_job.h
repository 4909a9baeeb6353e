// The job that a checkpoint says it belongs to. Pure; no torch.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/safetensors.h"
#include "proto/job.pb.h"

namespace mimeo {

// Reads the metadata key `job`, which holds the resolved job's text. `path` is for the message. InvalidArgument: there
// is no such key, so this is no checkpoint of Mimeo, or its text is no job.
absl::StatusOr<JobSpec> JobOfCheckpoint(const SafetensorsView& checkpoint, const std::string& path);

}  // namespace mimeo
