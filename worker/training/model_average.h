// An exponential moving average of a model's weights: of the encoder, as an encoder of its own, and of the heads of
// objectives that compare with it; and the running means that such objectives keep. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/encoder.h"
#include "model/parameters.h"
#include "objective/objective.h"
#include "proto/job.pb.h"

namespace mimeo {

class ModelAverage {
 public:
  // The encoder of `spec`, its weights unset. REQUIRES: spec.ema is set.
  ModelAverage(const JobSpec& spec, Products products);

  // Where objectives add what they need of the average, before Start (ObjectiveSum::Context).
  Parameters* parameters() { return &parameters_; }

  // Starts as a copy of what has the same name in `parameters`, where these are then: on their device, in their type.
  // What has no such name is a running mean, which starts at 0. `parameters` outlives the average.
  void Start(const Parameters& parameters);

  // The decay d of the updates that follow: DecayAt of `progress`. It goes to the device, where a step that was
  // recorded (step_recorder.h) reads it.
  void SetSchedule(double progress);

  // average = d * average + (1 - d) * weights; running means move to `means`, by name, as these say. Nothing
  // changes where `skipped` (float scalar, on the device) is 1. REQUIRES: SetSchedule.
  void Update(const at::Tensor& skipped, const std::map<std::string, BatchMean>& means);

  const Encoder& encoder() const { return *encoder_; }

  // Under "ema.<name>": what a checkpoint keeps. Handles: writing into them restores the state.
  std::vector<std::pair<std::string, at::Tensor>> State() const;

 private:
  const EmaSpec ema_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
  at::Tensor share_;                            // 1 - d, on the device
  std::vector<at::Tensor> averages_, weights_;  // in one order
  std::map<std::string, at::Tensor> running_;
};

// From decay at progress 0 to final_decay at 1 by half a cosine (BYOL, arXiv 2006.07733, appendix).
double DecayAt(const EmaSpec& ema, double progress);

}  // namespace mimeo
