// Counts the images of a data set as training would, by the worker binary's own survey.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"

namespace mimeo {

// How many images `spec`, a resolved job whose data.path is an absolute path on this machine, trains on: without those
// that it holds out. It blocks for as long as the survey needs, which looks at every file. InvalidArgument: there is no
// image, or the path cannot be read; the message is the survey's. Unimplemented: the worker binary has no survey.
absl::StatusOr<int64_t> CountImages(const JobSpec& spec);

}  // namespace mimeo
