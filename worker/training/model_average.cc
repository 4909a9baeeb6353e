#include "worker/training/model_average.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "base/half_cosine.h"

namespace mimeo {

ModelAverage::ModelAverage(const JobSpec& spec, Products products)
    : ema_(spec.ema()),
      parameters_(Parameters::Unset(products)),
      encoder_(MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), &parameters_)) {}

void ModelAverage::Start(const Parameters& parameters) {
  const at::NoGradGuard no_grad;
  const at::Tensor& like = parameters.all().front().second;
  parameters_.To(like.device(), like.scalar_type());
  share_ = at::zeros({}, like.options().dtype(at::kFloat).requires_grad(false));
  for (const auto& [name, average] : parameters_.all()) {
    at::Tensor handle = average;
    handle.requires_grad_(false);
    if (!parameters.Has(name)) {
      running_[name] = handle.zero_();
      continue;
    }
    averages_.push_back(handle);
    weights_.push_back(parameters.Find(name));
    handle.copy_(weights_.back());
  }
}

void ModelAverage::SetSchedule(double progress) { share_.fill_(1 - DecayAt(ema_, progress)); }

void ModelAverage::Update(const at::Tensor& skipped, const std::map<std::string, BatchMean>& means) {
  const at::NoGradGuard no_grad;
  const at::Tensor share = (1 - skipped) * share_;
  for (size_t i = 0; i < averages_.size(); ++i) {
    averages_[i].lerp_(weights_[i].detach(), share.to(averages_[i].scalar_type()));
  }
  for (const auto& [name, mean] : means) {
    at::Tensor& running = running_.at(name);
    const at::Tensor value = mean.value.to(running.scalar_type());
    // A skipped step's mean is not finite, and 0 times that would be neither.
    running.copy_(at::where(skipped.to(at::kBool), running, mean.momentum * running + (1 - mean.momentum) * value));
  }
}

std::vector<std::pair<std::string, at::Tensor>> ModelAverage::State() const {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& [name, average] : parameters_.all()) state.emplace_back("ema." + name, average);
  return state;
}

double DecayAt(const EmaSpec& ema, double progress) { return HalfCosine(ema.decay(), ema.final_decay(), progress); }

}  // namespace mimeo
