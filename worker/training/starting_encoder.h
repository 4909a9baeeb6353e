// The encoder that a job starts from, before any step. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/encoder.h"
#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

// The encoder refers to the parameters, so they live and die together.
struct StartingEncoder {
  std::unique_ptr<Parameters> parameters;
  std::unique_ptr<Encoder> encoder;
  std::vector<std::string> notes;  // what was done to make spec.init_weights fit, for people
};

// Makes it on the CPU in float32, with the products of the job's precision. Weights are as spec.seed draws them, so
// they are bit-equal in every process that makes them; then spec.init_weights replaces them, where it is set. The
// errors are those of LoadEncoderInto; Aborted: libtorch threw. `spec` is resolved.
absl::StatusOr<StartingEncoder> MakeStartingEncoder(const JobSpec& spec);

}  // namespace mimeo
