// A small masked autoencoder and made-up images, for tests of training. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/encoder.h"
#include "model/parameters.h"
#include "objective/objective.h"
#include "proto/job.pb.h"
#include "worker/training/model_average.h"
#include "worker/training/optimizer.h"

namespace mimeo::testing {

// Resolved: 32 px, 8 px patches, 4 of 16 visible, reconstruction. With `width` 128 its gradients fill two buckets.
JobSpec TinySpec(int width = 32);

// TinySpec with self-distillation between two views, called "dino", beside its reconstruction; ema of decay 0.9.
JobSpec TinyDinoSpec();

struct TinyModel {
  explicit TinyModel(const JobSpec& spec, at::ScalarType type = at::kFloat, const RowGatherer& rows = {});
  Parameters parameters;
  std::unique_ptr<ModelAverage> average;  // where the spec has one
  std::unique_ptr<Encoder> encoder;
  std::unique_ptr<ObjectiveSum> objectives;
  std::unique_ptr<AdamW> optimizer;
};

// Rows [begin, end) of the global batch of `step`: the same pixels and masks whoever asks.
ForwardPass TinyViews(int64_t step, int64_t begin, int64_t end, at::ScalarType type = at::kFloat);

// All values of all parameters, or of their gradients, as one vector of doubles.
at::Tensor FlatParameters(const Parameters& parameters);
at::Tensor FlatGradients(const Parameters& parameters);
// Of what the average keeps: averaged weights and running means.
at::Tensor FlatAverage(const ModelAverage& average);

}  // namespace mimeo::testing
