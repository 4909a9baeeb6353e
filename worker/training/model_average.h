// An exponential moving average of a model's weights: of the encoder, as an encoder of its own, and of the heads of
// objectives that compare with it. It also holds the running means that such objectives keep. One thread.
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
  // Makes the encoder of `spec` with its weights unset. REQUIRES: spec.ema is set.
  ModelAverage(const JobSpec& spec, Products products);

  // Where objectives add what they need of the average (ObjectiveSum::Context), before Start.
  Parameters* parameters() { return &parameters_; }

  // Copies what has the same name in `parameters`, which are on their device and in their type by then. What has no
  // such name is a running mean, and starts at 0. `parameters` outlives the average.
  void Start(const Parameters& parameters);

  // Sets the decay d of the updates that follow: DecayAt of `progress`. It goes to the device, where a recorded step
  // (step_recorder.h) reads it.
  void SetSchedule(double progress);

  // average = d * average + (1 - d) * weights. Running means move by `means`, which has them by name. Nothing changes
  // where `skipped` (a float scalar on the device) is 1. Nobody waits for the device. REQUIRES: SetSchedule.
  void Update(const at::Tensor& skipped, const std::map<std::string, BatchMean>& means);

  const Encoder& encoder() const { return *encoder_; }

  // What a checkpoint keeps, under "ema.<name>". They are handles: writing into them restores the state.
  std::vector<std::pair<std::string, at::Tensor>> State() const;

 private:
  const EmaSpec ema_;
  Parameters parameters_;
  std::unique_ptr<Encoder> encoder_;
  at::Tensor share_;                            // 1 - d, on the device
  std::vector<at::Tensor> averages_, weights_;  // in one order
  std::map<std::string, at::Tensor> running_;
};

// Goes from decay at progress 0 to final_decay at progress 1 by half a cosine (BYOL, arXiv 2006.07733, appendix).
double DecayAt(const EmaSpec& ema, double progress);

}  // namespace mimeo
