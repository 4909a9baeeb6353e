#include "worker/training/optimizer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_zero.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <map>
#include <tuple>
#include <utility>

#include "base/half_cosine.h"
#include "job/model_tensors.h"
#include "worker/training/parameter_groups.h"

namespace mimeo {

AdamW::AdamW(const Parameters* parameters, const JobSpec& spec) : spec_(spec) {
  const at::NoGradGuard no_grad;
  const int num_blocks = NumEncoderBlocks(*parameters);
  std::map<std::tuple<bool, double, std::string>, Group> groups;
  for (const auto& [name, tensor] : parameters->trained()) {
    const auto scalar = tensor.options().dtype(at::kFloat).requires_grad(false);
    const bool decayed = IsDecayed(spec.optimizer().adamw().decayed(), name, tensor);
    const double rate_scale = RateScale(name, num_blocks, spec.optimizer().adamw().layer_decay());
    const std::string cohort = CohortOf(spec, name);
    for (const std::string& counted : {std::string(), cohort}) {
      at::Tensor& steps = cohorts_[counted].steps;
      if (!steps.defined()) steps = at::zeros({}, scalar);
    }
    Group& group = groups[{decayed, rate_scale, cohort}];
    group.decayed = decayed, group.rate_scale = rate_scale, group.cohort = cohort;
    // The CUDA kernel reads a float; the CPU's a double.
    group.rate = at::zeros({}, scalar.dtype(tensor.device().is_cpu() ? at::kDouble : at::kFloat));
    group.names.push_back(name);
    group.parameters.push_back(tensor);
    group.exp_avg.push_back(at::zeros_like(tensor, tensor.options().requires_grad(false)));
    group.exp_avg_sq.push_back(at::zeros_like(tensor, tensor.options().requires_grad(false)));
    group.steps.push_back(cohorts_[cohort].steps);
  }
  for (auto& [key, group] : groups) groups_.push_back(std::move(group));
}

void AdamW::SetSchedule(double learning_rate, double progress) {
  weight_decay_ = WeightDecayAt(spec_.optimizer().adamw(), progress);
  for (auto& [name, cohort] : cohorts_) cohort.live = IsLive(spec_, name, progress);
  for (Group& group : groups_) group.rate.fill_(learning_rate * group.rate_scale);
}

void AdamW::Step(const at::Tensor& found_inf) {
  const at::NoGradGuard no_grad;
  const AdamWSpec& adamw = spec_.optimizer().adamw();
  // The kernel skips the update when found_inf is set, but leaves counting to its caller.
  for (auto& [name, cohort] : cohorts_) {
    if (cohort.live) cohort.steps.add_(1 - found_inf);
  }
  for (Group& group : groups_) {
    if (!cohorts_.at(group.cohort).live) continue;
    std::vector<at::Tensor> gradients;
    for (const at::Tensor& parameter : group.parameters) gradients.push_back(parameter.grad());
    at::_fused_adamw_(group.parameters, gradients, group.exp_avg, group.exp_avg_sq, {}, group.steps, group.rate,
                      adamw.beta1(), adamw.beta2(), group.decayed ? weight_decay_ : 0, adamw.epsilon(),
                      /*amsgrad=*/false, /*maximize=*/false,
                      /*grad_scale=*/std::nullopt, found_inf);
  }
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::State() const {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& [name, cohort] : cohorts_) {
    state.emplace_back(name.empty() ? "steps" : "steps." + name, cohort.steps);
  }
  for (const Group& group : groups_) {
    for (size_t i = 0; i < group.names.size(); ++i) {
      state.emplace_back("exp_avg." + group.names[i], group.exp_avg[i]);
      state.emplace_back("exp_avg_sq." + group.names[i], group.exp_avg_sq[i]);
    }
  }
  return state;
}

std::map<std::string, std::vector<std::string>> AdamW::cohorts() const {
  std::map<std::string, std::vector<std::string>> cohorts;
  for (const Group& group : groups_) {
    if (group.cohort.empty()) continue;
    std::vector<std::string>& names = cohorts[group.cohort];
    names.insert(names.end(), group.names.begin(), group.names.end());
  }
  return cohorts;
}

double WeightDecayAt(const AdamWSpec& spec, double progress) {
  return HalfCosine(spec.weight_decay(), spec.final_weight_decay(), progress);
}

void ClearGradients(const Parameters& parameters) {
  for (const auto& [name, tensor] : parameters.all()) tensor.mutable_grad() = at::Tensor();
}

void ZeroGradients(const Parameters& parameters) {
  std::vector<at::Tensor> gradients;
  for (const auto& [name, tensor] : parameters.all()) {
    if (tensor.grad().defined()) gradients.push_back(tensor.grad());
  }
  const at::NoGradGuard no_grad;
  if (!gradients.empty()) at::_foreach_zero_(gradients);
}

at::Tensor ClipGradNorm(const Parameters& parameters, double max_norm, Clipping clipping) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const auto& [name, tensor] : parameters.trained()) gradients.push_back(tensor.grad());
  const std::vector<at::Tensor> norms = at::_foreach_norm(gradients);
  const at::Tensor norm = at::linalg_vector_norm(at::stack(norms));
  if (max_norm <= 0) return norm;
  const auto factor_of = [&](const at::Tensor& some_norm) { return (max_norm / (some_norm + 1e-6)).clamp_max(1.0); };
  if (clipping == CLIPPING_PER_TENSOR) {
    for (size_t i = 0; i < gradients.size(); ++i) gradients[i].mul_(factor_of(norms[i]));
  } else {
    at::_foreach_mul_(gradients, factor_of(norm));
  }
  return norm;
}

}  // namespace mimeo
