// What a job trains, made in the one right order: weights, their average, encoder, objectives, optimizer. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/encoder.h"
#include "model/parameters.h"
#include "objective/objective.h"
#include "proto/job.pb.h"
#include "worker/training/model_average.h"
#include "worker/training/optimizer.h"

namespace mimeo {

struct ModelParts {
  std::unique_ptr<Parameters> parameters;
  std::unique_ptr<ModelAverage> average;  // null: the job keeps none
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<ObjectiveSum> objectives;
  std::unique_ptr<AdamW> optimizer;
  std::vector<std::string> notes;  // what was done to fit spec.init_weights, for people
};

// On `device`, in float32, from spec.init_weights where there are any. `context.averaged` is filled here.
// InvalidArgument and others: as ObjectiveSum::Create and LoadEncoderInto; Aborted: libtorch threw.
absl::StatusOr<ModelParts> MakeModelParts(const JobSpec& spec, ObjectiveSum::Context context, at::Device device);

}  // namespace mimeo
