// What a job trains, made in the one right order: weights, their average, encoder, objectives, and optimizer. One
// thread.
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

// The parts refer to each other's tensors, so they live and die together. Destroying runs from the last to the first.
struct ModelParts {
  // In the order in which they are made: objectives add their heads to the parameters and to the average, and the
  // optimizer takes what is there.
  std::unique_ptr<Parameters> parameters;
  std::unique_ptr<ModelAverage> average;  // null: the job keeps none
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<ObjectiveSum> objectives;
  std::unique_ptr<AdamW> optimizer;
  std::vector<std::string> notes;  // what was done to make spec.init_weights fit, for people
};

// Makes them on `device` in float32. The encoder is that of MakeStartingEncoder, and the objectives' weights are as
// spec.seed draws them, so all are bit-equal on every rank. `context.averaged` is filled in here. The errors are those
// of ObjectiveSum::Create and MakeStartingEncoder; Aborted: libtorch threw.
absl::StatusOr<ModelParts> MakeModelParts(const JobSpec& spec, ObjectiveSum::Context context, at::Device device);

}  // namespace mimeo
