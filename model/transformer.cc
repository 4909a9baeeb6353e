#include "model/transformer.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>

namespace mimeo {
namespace {

// (B, N, D) -> (B, heads, N, D / heads), a view.
at::Tensor SplitHeads(const at::Tensor& x_BND, int64_t heads) {
  return x_BND.unflatten(2, {heads, x_BND.size(2) / heads}).transpose(1, 2);
}

}  // namespace

at::Tensor LinearProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Products products) {
  if (products == Products::kAsStored) return at::linear(x, weight, bias);
  return at::linear(x.to(at::kBFloat16), weight.to(at::kBFloat16), bias.to(at::kBFloat16));
}

Linear::Linear(const std::string& name, int64_t in, int64_t out, Parameters* parameters)
    : products_(parameters->products()),
      weight_(parameters->Add(name + ".weight", {out, in}, Init::kXavierUniform)),
      bias_(parameters->Add(name + ".bias", {out}, Init::kZeros)) {}

at::Tensor Linear::Rows(const at::Tensor& x, int64_t begin, int64_t end) const {
  if (begin == 0 && end == weight_.size(0)) return LinearProduct(x, weight_, bias_, products_);
  return LinearProduct(x, weight_.slice(0, begin, end), bias_.slice(0, begin, end), products_);
}

LayerNorm::LayerNorm(const std::string& name, int64_t width, double epsilon, Parameters* parameters)
    : epsilon_(epsilon),
      weight_(parameters->Add(name + ".weight", {width}, Init::kOnes)),
      bias_(parameters->Add(name + ".bias", {width}, Init::kZeros)) {}

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {weight_.size(0)}, weight_, bias_, epsilon_);
}

TransformerBlock::TransformerBlock(const std::string& name, const BlockShape& shape, Parameters* parameters)
    : heads_(shape.heads),
      norm1_(name + ".norm1", shape.width, shape.norm_epsilon, parameters),
      qkv_(name + ".attn.qkv", shape.width, 3 * shape.width, parameters),
      proj_(name + ".attn.proj", shape.width, shape.width, parameters),
      norm2_(name + ".norm2", shape.width, shape.norm_epsilon, parameters),
      fc1_(name + ".mlp.fc1", shape.width, shape.mlp_width, parameters),
      fc2_(name + ".mlp.fc2", shape.mlp_width, shape.width, parameters) {}

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

at::Tensor TransformerBlock::Forward(const at::Tensor& x_BND, int64_t first_row) const {
  const at::Tensor attended = x_BND.slice(1, first_row) + proj_(Attend(norm1_(x_BND), first_row));
  return attended + fc2_(at::gelu(fc1_(norm2_(attended))));
}

}  // namespace mimeo
