#include "model/parameters.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "base/check.h"
#include "model/initial_weights.h"

namespace mimeo {
namespace {

// Element i is a function of (key, i) alone, so threads cannot change it.
template <typename Number>
void Fill(const at::Tensor& tensor, Number number) {
  float* const out = tensor.data_ptr<float>();
  at::parallel_for(0, tensor.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = static_cast<float>(number(i));
  });
}

void FillUniform(const at::Tensor& tensor, const RandomKey& key, double bound) {
  Fill(tensor, [&](int64_t i) { return bound * (2 * key.Uniform(i) - 1); });
}

// Normal number i of the key, drawn again until it is within one deviation.
double CutOffNormal(const RandomKey& key, int64_t i) {
  double number = key.Normal(i);
  for (uint64_t again = 0; std::abs(number) > 1; ++again) number = key.Fold(again).Normal(i);
  return number;
}

void Initialise(const at::Tensor& tensor, const RandomKey& key, const Draw& draw) {
  switch (draw.init) {
    case Init::kZeros:
      tensor.zero_();
      return;
    case Init::kOnes:
      tensor.fill_(1);
      return;
    case Init::kNormal1e6:
      Fill(tensor, [&](int64_t i) { return 1e-6 * key.Normal(i); });
      return;
    case Init::kNormal002:
      Fill(tensor, [&](int64_t i) { return 0.02 * key.Normal(i); });
      return;
    case Init::kNormal002CutOff:
      Fill(tensor, [&](int64_t i) { return 0.02 * draw.scale * CutOffNormal(key, i); });
      return;
    case Init::kXavierUniform: {
      const double fan_out = static_cast<double>(tensor.size(0));
      FillUniform(tensor, key, std::sqrt(6 / (fan_out + static_cast<double>(tensor.numel()) / fan_out)));
      return;
    }
    case Init::kXavierUniformThirds: {
      const double rows = static_cast<double>(tensor.size(0));
      FillUniform(tensor, key, std::sqrt(6 / (rows / 3 + static_cast<double>(tensor.numel()) / rows)));
      return;
    }
    case Init::kConvDefault:
      MIMEO_CHECK(draw.fan_in > 0, "kConvDefault needs the layer's fan-in");
      FillUniform(tensor, key, 1 / std::sqrt(static_cast<double>(draw.fan_in)));
      return;
  }
}

}  // namespace

Parameters Parameters::Unset(Products products) {
  Parameters parameters(/*seed=*/0, products);
  parameters.initialises_ = false;
  return parameters;
}

at::Tensor Parameters::Add(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in) {
  MIMEO_CHECK(!Has(name), name);
  at::Tensor tensor = at::empty(shape, at::kFloat);
  if (initialises_) Initialise(tensor, key_.Fold(name), DrawOf(initial_weights_, name, shape, {init, fan_in}));
  tensor.requires_grad_();
  all_.emplace_back(name, tensor);
  return tensor;
}

at::Tensor Parameters::AddAs(const std::string& name, const at::Tensor& value) {
  MIMEO_CHECK(!Has(name), name);
  at::Tensor tensor = value.detach().to(at::kFloat).clone();
  tensor.requires_grad_();
  all_.emplace_back(name, tensor);
  return tensor;
}

at::Tensor Parameters::AddConstant(const std::string& name, const at::Tensor& value) {
  MIMEO_CHECK(!Has(name), name);
  constants_.emplace_back(name, value.detach());
  return constants_.back().second;
}

void Parameters::Freeze(const std::string& name) { Find(name).requires_grad_(false); }

std::vector<std::pair<std::string, at::Tensor>> Parameters::trained() const {
  std::vector<std::pair<std::string, at::Tensor>> trained;
  for (const auto& parameter : all_) {
    if (parameter.second.requires_grad()) trained.push_back(parameter);
  }
  return trained;
}

bool Parameters::Has(const std::string& name) const {
  for (const auto* list : {&all_, &constants_}) {
    for (const auto& entry : *list) {
      if (entry.first == name) return true;
    }
  }
  return false;
}

at::Tensor Parameters::Find(const std::string& name) const {
  for (const auto* list : {&all_, &constants_}) {
    for (const auto& [entry, tensor] : *list) {
      if (entry == name) return tensor;
    }
  }
  MIMEO_CHECK(false, "no parameter is called ", name);
  return at::Tensor();
}

void Parameters::To(at::Device device, at::ScalarType dtype) {
  const at::NoGradGuard no_grad;
  for (const auto* list : {&all_, &constants_}) {
    for (const auto& [name, tensor] : *list) tensor.set_data(tensor.detach().to(device, dtype));
  }
}

}  // namespace mimeo
