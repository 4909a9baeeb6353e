// The trainable tensors of a model by name, each initialised from RandomKey(seed).Fold("init").Fold(name), on the CPU: the
// same on every rank, device and gang size. One thread.
//
// In place of torch::nn::Module, whose header costs 11 s a file: a reducer and an optimizer want lists of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "base/random_key.h"

namespace mimeo {

enum class Init { kZeros, kOnes, kNormal002, kXavierUniform, kConvDefault };

class Parameters {
 public:
  explicit Parameters(uint64_t seed) : key_(RandomKey(seed).Fold("init")) {}

  // A leaf that requires a gradient. xavier_uniform views the shape as [dim 0, the rest]. Names are unique (CHECK).
  at::Tensor Add(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in_for_conv_bias = 0);

  const std::vector<std::pair<std::string, at::Tensor>>& all() const { return all_; }   // in order of Add
  std::vector<at::Tensor> tensors() const;
  at::Tensor Find(const std::string& name) const;   // CHECK: there

  // In place: handles that Add gave see the change. Call before any optimizer or reducer is made.
  void To(at::Device device, at::ScalarType dtype);

 private:
  RandomKey key_;
  std::vector<std::pair<std::string, at::Tensor>> all_;
};

}  // namespace mimeo
