// AdamW (Loshchilov and Hutter, arXiv 1711.05101) over a model's parameters, by libtorch's fused kernel: decay on
// matrices, none on vectors and positions, and a rate that may fall with the depth of a layer
// (worker/training/parameter_groups.h). One thread.
//
// A parameter that the loss does not depend on in a step (IsLive) is left alone in it: no decay, no change of its
// moments, and the step is not counted for it, so that its bias correction begins with its first live step.
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
  // Moments start at zero. `parameters` outlives the optimizer; `spec` is resolved.
  AdamW(const Parameters* parameters, const JobSpec& spec);

  // The rate of the steps that follow, their weight decay (WeightDecayAt of `progress`), and which parameters are live.
  // The rate goes to the device, where a step that was recorded (step_recorder.h) reads it; the others are of the host.
  void SetSchedule(double learning_rate, double progress);

  // Applies the gradients that stand in the parameters, unless `found_inf` (float scalar, on the device) is not zero:
  // then nothing changes, moments and step count included. Every parameter that is not frozen has a gradient. REQUIRES:
  // SetSchedule.
  void Step(const at::Tensor& found_inf);

  // Under "exp_avg.<parameter>" and "exp_avg_sq.<parameter>", "steps" and, for each of cohorts(), "steps.<cohort>"
  // (float scalars): what a checkpoint keeps. Handles: writing into them restores the state.
  std::vector<std::pair<std::string, at::Tensor>> State() const;

  // The parameters by cohort (CohortOf) that are not live in all steps, and count theirs apart.
  std::map<std::string, std::vector<std::string>> cohorts() const;

 private:
  // Parameters that the loss depends on in the same steps.
  struct Cohort {
    at::Tensor steps;  // applied so far to these parameters; a scalar
    bool live = true;
  };
  // Those of a cohort that decay alike, of one rate.
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

// From weight_decay at progress 0 of training to final_weight_decay at 1 by half a cosine (facebookresearch/dino,
// utils.py, cosine_scheduler).
double WeightDecayAt(const AdamWSpec& spec, double progress);

// Drops the gradients, so that the next backward pass gives new ones in place of a sum.
void ClearGradients(const Parameters& parameters);

// The 2-norm of all gradients together, a float scalar on the device; where `max_norm` is above 0, they are scaled down
// to it.
at::Tensor ClipGradNorm(const Parameters& parameters, double max_norm);

}  // namespace mimeo
