// A small masked autoencoder that was not trained, for tests. One thread.
#pragma once

#include <memory>

#include "model/encoder.h"
#include "model/parameters.h"
#include "model/weights.h"
#include "objective/objective.h"
#include "proto/job.pb.h"

namespace mimeo::testing {

// Resolved: 16 px, 4 px patches of which the mask is a grid that hides three of four, reconstruction of plain pixels
// under the name "pixels".
JobSpec SmallAutoencoderSpec();

struct SmallAutoencoder {
  explicit SmallAutoencoder(const JobSpec& spec = SmallAutoencoderSpec());
  NamedTensors Checkpoint() const;

  JobSpec spec;
  Parameters parameters;
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<ObjectiveSum> objectives;
};

}  // namespace mimeo::testing
