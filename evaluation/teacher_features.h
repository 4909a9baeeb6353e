// A teacher's own features of whole images, to judge its students by. One thread.
#pragma once

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "evaluation/embedding.h"
#include "proto/job.pb.h"
#include "teacher/feature_source.h"

namespace mimeo {

// What `teacher` gives an objective to mimic (its layer, projected or not), of all patches of the evaluation crop: the
// mean over patches as patch_mean_ND, nothing else. `options` as of EmbedImages, `spec` resolved. A bad image has no
// row. The teacher is waited for until options.stop_wanted. REQUIRES: the request has objectives. Errors: as
// EmbedImages and FeatureSource::Attach.
absl::StatusOr<Embeddings> EmbedByTeacher(const Dataset& dataset, const JobSpec& spec, const EmbedOptions& options,
                                          FeatureSource* teacher);

}  // namespace mimeo
