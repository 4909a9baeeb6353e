// An exponential moving average of an encoder's weights, as an encoder of its own. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/encoder.h"
#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

class EncoderAverage {
 public:
  // Starts as a copy of the weights of `parameters` that are called "encoder.*", where these are then: on their device, in
  // their type. REQUIRES: spec.ema is set. `parameters` outlives the average.
  EncoderAverage(const JobSpec& spec, const Parameters* parameters);

  // average = d * average + (1 - d) * weights, with d as DecayAt, unless `skipped` (float scalar, on the device) is 1: then nothing changes.
  void Update(double progress, const at::Tensor& skipped);

  const Encoder& encoder() const { return *encoder_; }

  // Under "ema.encoder.*": what a checkpoint keeps. Handles: writing into them restores the state.
  std::vector<std::pair<std::string, at::Tensor>> State() const;

 private:
  const EmaSpec ema_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
  std::vector<at::Tensor> averages_, weights_;  // in one order
};

// From decay at progress 0 to final_decay at 1 by half a cosine (BYOL, arXiv 2006.07733, appendix).
double DecayAt(const EmaSpec& ema, double progress);

}  // namespace mimeo
