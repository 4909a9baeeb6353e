// Makes evaluation crops into a loader's batch, for what training computes on batches. Pure.
#pragma once

#include <vector>

#include "data/augment.h"
#include "data/loader.h"
#include "evaluation/crop_pass.h"
#include "proto/job.pb.h"

namespace mimeo {

// The shapes of a job's crops: that of the full size first, and then one for each smaller view. REQUIRES: a resolved
// spec.
std::vector<CropShape> ViewShapes(const JobSpec& spec);

// The batch has the full-size crop as shared_BCHW, and as each view the crop of its size from the middle of the image,
// without changes of colour. Views of one size share a tensor. Each row has a key that depends on the job's seed and on
// the sample alone, so an evaluation draws the same masks each time. A batch without images has no rows and no tensors.
// REQUIRES: a resolved spec, and crops of ViewShapes.
Batch MakeEvaluationBatch(const JobSpec& spec, const CropBatch& crops);

}  // namespace mimeo
