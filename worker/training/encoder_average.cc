#include "worker/training/encoder_average.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "absl/strings/match.h"

namespace mimeo {

EncoderAverage::EncoderAverage(const JobSpec& spec, const Parameters* parameters)
    : ema_(spec.ema()), parameters_(Parameters::Unset(parameters->products())),
      encoder_(MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), &parameters_)) {
  const at::NoGradGuard no_grad;
  const at::Tensor& like = parameters->all().front().second;
  parameters_.To(like.device(), like.scalar_type());
  for (const auto& [name, average] : parameters_.all()) {
    at::Tensor handle = average;
    handle.requires_grad_(false);
    averages_.push_back(handle);
    weights_.push_back(parameters->Find(name));
    handle.copy_(weights_.back());
  }
}

void EncoderAverage::Update(double progress, const at::Tensor& skipped) {
  const at::NoGradGuard no_grad;
  const at::Tensor share = (1 - skipped) * (1 - DecayAt(ema_, progress));
  for (size_t i = 0; i < averages_.size(); ++i) averages_[i].lerp_(weights_[i].detach(), share.to(averages_[i].scalar_type()));
}

std::vector<std::pair<std::string, at::Tensor>> EncoderAverage::State() const {
  std::vector<std::pair<std::string, at::Tensor>> state;
  for (const auto& [name, average] : parameters_.all()) state.emplace_back("ema." + name, average);
  return state;
}

double DecayAt(const EmaSpec& ema, double progress) {
  constexpr double kPi = 3.14159265358979323846;
  return ema.final_decay() - (ema.final_decay() - ema.decay()) * (std::cos(kPi * progress) + 1) / 2;
}

}  // namespace mimeo
