// Evaluation crops in the form of a loader's batch, for what training computes on batches. Pure.
#pragma once

#include <vector>

#include "data/augment.h"
#include "data/loader.h"
#include "evaluation/crop_pass.h"
#include "proto/job.pb.h"

namespace mimeo {

// The shapes of a job's crops: of full-size views first, then of each smaller view. REQUIRES: a resolved spec.
std::vector<CropShape> ViewShapes(const JobSpec& spec);

// The full-size crop as shared_BCHW, and as each view the crop of its size: in the middle of the image, and without
// changes of colour. Views of one size share a tensor. Rows have a key each, which depends on the job's seed and the
// sample alone. Of a batch without images: no rows and no tensors. REQUIRES: a resolved spec; crops of ViewShapes.
Batch MakeEvaluationBatch(const JobSpec& spec, const CropBatch& crops);

}  // namespace mimeo
