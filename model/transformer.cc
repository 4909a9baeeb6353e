#include "model/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/sigmoid.h>

#include <cmath>
#include <vector>

#include "model/recompute.h"

namespace mimeo {
namespace {

// (B, N, D) -> (B, heads, N, D / heads), a view.
at::Tensor SplitHeads(const at::Tensor& x_BND, int64_t heads) {
  return x_BND.unflatten(2, {heads, x_BND.size(2) / heads}).transpose(1, 2);
}

// Column `branch` of (B, 2), shaped to multiply (B, N, D).
at::Tensor Scaled(at::Tensor branch_BND, const at::Tensor& layer_scale_D, const at::Tensor& branch_scale_B2,
                  int64_t branch) {
  if (layer_scale_D.defined()) branch_BND = branch_BND * layer_scale_D;
  if (branch_scale_B2.defined()) branch_BND = branch_BND * branch_scale_B2.select(1, branch).view({-1, 1, 1});
  return branch_BND;
}

}  // namespace

at::Tensor LinearProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Products products) {
  if (products == Products::kAsStored) return at::linear(x, weight, bias);
  const at::Tensor rounded_bias = bias.defined() ? bias.to(at::kBFloat16) : bias;
  return at::linear(x.to(at::kBFloat16), weight.to(at::kBFloat16), rounded_bias);
}

Linear::Linear(const std::string& name, int64_t in, int64_t out, Parameters* parameters, bool bias)
    : products_(parameters->products()),
      weight_(parameters->Add(name + ".weight", {out, in}, Init::kXavierUniform)),
      bias_(bias ? parameters->Add(name + ".bias", {out}, Init::kZeros, in) : at::Tensor()) {}

at::Tensor Linear::Rows(const at::Tensor& x, int64_t begin, int64_t end) const {
  if (begin == 0 && end == weight_.size(0)) return LinearProduct(x, weight_, bias_, products_);
  return LinearProduct(x, weight_.slice(0, begin, end), bias_.defined() ? bias_.slice(0, begin, end) : bias_,
                       products_);
}

LayerNorm::LayerNorm(const std::string& name, int64_t width, double epsilon, Parameters* parameters)
    : epsilon_(epsilon),
      weight_(parameters->Add(name + ".weight", {width}, Init::kOnes)),
      bias_(parameters->Add(name + ".bias", {width}, Init::kZeros)) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, epsilon_);
}

at::Tensor Activate(const at::Tensor& x, Activation activation) {
  return activation == ACTIVATION_QUICK_GELU ? x * at::sigmoid(1.702 * x) : at::gelu(x);
}

TransformerBlock::TransformerBlock(const std::string& name, const BlockShape& shape, Parameters* parameters)
    : heads_(shape.heads),
      activation_(shape.activation),
      norm1_(name + ".norm1", shape.width, shape.norm_epsilon, parameters),
      qkv_(name + ".attn.qkv", shape.width, 3 * shape.width, parameters, shape.qkv_bias),
      proj_(name + ".attn.proj", shape.width, shape.width, parameters),
      norm2_(name + ".norm2", shape.width, shape.norm_epsilon, parameters),
      fc1_(name + ".mlp.fc1", shape.width, shape.mlp_width, parameters),
      fc2_(name + ".mlp.fc2", shape.mlp_width, shape.width, parameters) {
  if (shape.layer_scale != 0) {
    for (const auto& [scale, suffix] :
         {std::make_pair(&scale1_D_, ".ls1.gamma"), std::make_pair(&scale2_D_, ".ls2.gamma")}) {
      *scale = parameters->AddAs(name + suffix, at::full({shape.width}, shape.layer_scale, at::kFloat));
    }
  }
  if (!parameters->recompute_blocks()) return;
  for (const auto& [parameter, tensor] : parameters->all()) {
    if (parameter.compare(0, name.size() + 1, name + ".") == 0) recomputed_.push_back(tensor);
  }
}

at::Tensor TransformerBlock::Attend(const at::Tensor& x_BND, int64_t first_row) const {
  const int64_t width = x_BND.size(2);
  at::Tensor query, key, value;
  if (first_row == 0) {
    const std::vector<at::Tensor> parts = qkv_(x_BND).split(width, 2);
    query = parts[0], key = parts[1], value = parts[2];
  } else {
    const std::vector<at::Tensor> parts = qkv_.Rows(x_BND, width, 3 * width).split(width, 2);
    query = qkv_.Rows(x_BND.slice(1, first_row), 0, width), key = parts[0], value = parts[1];
  }
  return at::scaled_dot_product_attention(SplitHeads(query, heads_), SplitHeads(key, heads_), SplitHeads(value, heads_))
      .transpose(1, 2)
      .flatten(2);
}

at::Tensor TransformerBlock::FirstRowAttention(const at::Tensor& x_BND) const {
  const int64_t width = x_BND.size(2);
  const at::Tensor x = norm1_(x_BND);
  const at::Tensor query = SplitHeads(qkv_.Rows(x.slice(1, 0, 1), 0, width), heads_);
  const at::Tensor key = SplitHeads(qkv_.Rows(x, width, 2 * width), heads_);
  const at::Tensor scores_BH1N = at::matmul(query, key.transpose(2, 3)).to(x_BND.scalar_type());
  const double scale = 1 / std::sqrt(static_cast<double>(width / heads_));
  return (scores_BH1N * scale).softmax(-1).mean(1).squeeze(1);
}

at::Tensor TransformerBlock::Mlp(const at::Tensor& x_BND) const {
  return fc2_(Activate(fc1_(norm2_(x_BND)), activation_));
}

at::Tensor TransformerBlock::Forward(const at::Tensor& x_BND, int64_t first_row,
                                     const at::Tensor& branch_scale_B2) const {
  if (recomputed_.empty()) return Compute(x_BND, first_row, branch_scale_B2);
  return Recomputed(x_BND, recomputed_, [=](const at::Tensor& x) { return Compute(x, first_row, branch_scale_B2); });
}

at::Tensor TransformerBlock::Compute(const at::Tensor& x_BND, int64_t first_row,
                                     const at::Tensor& branch_scale_B2) const {
  const at::Tensor attention = proj_(Attend(norm1_(x_BND), first_row));
  const at::Tensor attended = x_BND.slice(1, first_row) + Scaled(attention, scale1_D_, branch_scale_B2, 0);
  return attended + Scaled(Mlp(attended), scale2_D_, branch_scale_B2, 1);
}

}  // namespace mimeo
