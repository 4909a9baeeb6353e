// Images as an evaluation sees them, in the form of a loader's batch. One thread.
#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "data/loader.h"
#include "proto/job.pb.h"

namespace mimeo {

// Of samples [begin, end): the evaluation crop as shared_BCHW, and as each view, at the view's size and without changes of colour.
// Images that cannot be decoded are left out; without any, the batch has no rows and no tensors. REQUIRES: a resolved spec.
Batch ReadEvaluationBatch(const Dataset& dataset, const JobSpec& spec, int64_t begin, int64_t end);

}  // namespace mimeo
