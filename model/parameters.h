// The trainable tensors of a model by name, each initialised from RandomKey(seed).Fold("init").Fold(name), on the CPU:
// the same on every rank, device and gang size. One thread.
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

// What the matrix products of a model (linear layers, attention) compute in. kBFloat16 is what autocast does: inputs
// and weights of a product are rounded to bfloat16, the product accumulates in float32 and is rounded once; weights,
// residuals, normalisations, losses and gradients of weights stay float32.
enum class Products { kAsStored, kBFloat16 };

class Parameters {
 public:
  // `products` is read by every layer that is made over these parameters.
  explicit Parameters(uint64_t seed, Products products = Products::kAsStored)
      : key_(RandomKey(seed).Fold("init")), products_(products) {}

  // Add leaves values unset: for weights that come from a file.
  static Parameters Unset(Products products = Products::kAsStored);

  // A leaf that requires a gradient. xavier_uniform views the shape as [dim 0, the rest]; kConvDefault is uniform in
  // +-1/sqrt(fan_in), torch's default for a convolution's bias. Names are unique (CHECK).
  at::Tensor Add(const std::string& name, at::IntArrayRef shape, Init init, int64_t fan_in_for_conv_bias = 0);

  // A leaf that starts as a copy of `value`.
  at::Tensor AddAs(const std::string& name, const at::Tensor& value);

  // The parameter stays what it is: it requires no gradient, and optimizer and reducer pass it over. Call before they
  // are made.
  void Freeze(const std::string& name);

  // A tensor that is not trained (positions) but lives where the parameters live.
  at::Tensor AddConstant(const std::string& name, const at::Tensor& value);

  const std::vector<std::pair<std::string, at::Tensor>>& all() const { return all_; }  // in order of Add
  const std::vector<std::pair<std::string, at::Tensor>>& constants() const { return constants_; }
  std::vector<std::pair<std::string, at::Tensor>> trained() const;  // all() but the frozen
  at::Tensor Find(const std::string& name) const;                   // CHECK: a parameter or a constant
  bool Has(const std::string& name) const;
  Products products() const { return products_; }

  // Whether transformer blocks made over these parameters keep only their input for the backward pass, and compute
  // themselves again there (model/recompute.h). Set before they are made.
  void set_recompute_blocks(bool recompute) { recompute_blocks_ = recompute; }
  bool recompute_blocks() const { return recompute_blocks_; }

  // In place: handles that Add gave see the change. Call before any optimizer or reducer is made.
  void To(at::Device device, at::ScalarType dtype);

 private:
  RandomKey key_;
  Products products_;
  bool recompute_blocks_ = false;
  bool initialises_ = true;
  std::vector<std::pair<std::string, at::Tensor>> all_;
  std::vector<std::pair<std::string, at::Tensor>> constants_;
};

}  // namespace mimeo
