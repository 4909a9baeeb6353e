// Images as an evaluation sees them, in the form of a loader's batch. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "proto/job.pb.h"

namespace mimeo {

// Of `samples`: the evaluation crop as shared_BCHW, and as each view, at the view's size and without changes of colour.
// Bad images (IsBadImage) are left out; without any other, the batch has no rows and no tensors. Errors: as
// Dataset::Read where the data set cannot be read. REQUIRES: a resolved spec.
absl::StatusOr<Batch> ReadEvaluationBatch(const Dataset& dataset, const JobSpec& spec,
                                          const std::vector<int64_t>& samples);

}  // namespace mimeo
