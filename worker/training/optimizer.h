// AdamW (Loshchilov and Hutter, arXiv 1711.05101) over a model's parameters, by libtorch's fused kernel. Which of them
// decay, and how the rate falls with the depth of a layer, is in worker/training/parameter_groups.h. One thread.
//
// A parameter that the loss does not depend on in a step (IsLive) is left alone in that step: it does not decay, its
// moments do not change, and the step does not count for it. So its bias correction begins with its first live step.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/parameters.h"
#include "proto/job.pb.h"

namespace mimeo {

class AdamW {
 public:
  // Moments start at zero. `parameters` outlives the optimizer, and `spec` is resolved.
  AdamW(const Parameters* parameters, const JobSpec& spec);

  // Sets the rate of the steps that follow, their weight decay (WeightDecayAt of `progress`), and which parameters are
  // live. The rate goes to the device, where a recorded step (step_recorder.h) reads it. The others are read on the
  // host, so a recorded step keeps their first values.
  void SetSchedule(double learning_rate, double progress);

  // Applies the gradients that the parameters have. Where `found_inf` (a float scalar on the device) is not zero,
  // nothing changes, neither moments nor step counts. Nobody waits for the device. REQUIRES: SetSchedule; every
  // parameter that is not frozen has a gradient.
  void Step(const at::Tensor& found_inf);

  // What a checkpoint keeps: "exp_avg.<parameter>", "exp_avg_sq.<parameter>", "steps" and, for each of cohorts(),
  // "steps.<cohort>" (float scalars). They are handles: writing into them restores the state.
  std::vector<std::pair<std::string, at::Tensor>> State() const;

  // The parameters that are not live in all steps, by cohort (CohortOf). Each cohort counts its own steps.
  std::map<std::string, std::vector<std::string>> cohorts() const;

 private:
  // Parameters that the loss depends on in the same steps.
  struct Cohort {
    at::Tensor steps;  // applied so far to these parameters; a scalar
    bool live = true;
  };
  // The parameters of one cohort that decay alike and have one rate: one call of the kernel.
  struct Group {
    bool decayed = false;
    double rate_scale = 1;
    std::string cohort;
    at::Tensor rate;
    std::vector<at::Tensor> parameters, exp_avg, exp_avg_sq, steps;
    std::vector<std::string> names;
  };
  const JobSpec spec_;
  double weight_decay_ = 0;
  std::map<std::string, Cohort> cohorts_;  // the empty name: always live
  std::vector<Group> groups_;
};

// Goes from weight_decay at progress 0 of the training to final_weight_decay at progress 1 by half a cosine
// (facebookresearch/dino, utils.py, cosine_scheduler).
double WeightDecayAt(const AdamWSpec& spec, double progress);

// Drops the gradients, so that the next backward pass makes new ones in place of adding to them.
void ClearGradients(const Parameters& parameters);
// Makes the gradients that there are zero and leaves them in their places.
void ZeroGradients(const Parameters& parameters);

// Returns the 2-norm of all gradients together, a float scalar on the device. Where `max_norm` is above 0, larger
// gradients are scaled down to it: all of them by one factor, or each parameter's by its own (Clipping). 0 leaves them
// as they are.
at::Tensor ClipGradNorm(const Parameters& parameters, double max_norm, Clipping clipping);

}  // namespace mimeo
