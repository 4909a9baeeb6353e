#include "model/block_stack.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>

#include <algorithm>

namespace mimeo {
namespace {

// Class token and visible patches of (B, class + registers + K + hidden, D).
at::Tensor Shown(const at::Tensor& x_BND, const BlockStack::Extra& extra) {
  const at::Tensor without_hidden = x_BND.slice(1, 0, x_BND.size(1) - extra.hidden);
  if (extra.registers == 0) return without_hidden;
  return at::cat(
      {without_hidden.slice(1, 0, extra.class_tokens), without_hidden.slice(1, extra.class_tokens + extra.registers)},
      1);
}

bool Contains(const std::vector<int>& numbers, int number) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

}  // namespace

BlockStack::BlockStack(const std::string& prefix, int depth, const BlockShape& shape, Parameters* parameters) {
  blocks_.reserve(depth);
  for (int i = 0; i < depth; ++i) blocks_.emplace_back(prefix + std::to_string(i), shape, parameters);
}

at::Tensor BlockStack::Forward(at::Tensor x_BND, const Extra& extra, const EncodeOptions& options, int64_t first_branch,
                               Encoding* encoding) const {
  for (int i = 0; i < depth(); ++i) {
    if (options.class_attention && i + 1 == depth()) {
      encoding->class_attention_BK = blocks_[i].FirstRowAttention(x_BND).slice(1, extra.class_tokens + extra.registers,
                                                                               x_BND.size(1) - extra.hidden);
    }
    at::Tensor branches_B2;
    if (options.drop_path_BR.defined()) branches_B2 = options.drop_path_BR.narrow(1, first_branch + 2 * i, 2);
    x_BND = blocks_[i].Forward(x_BND, 0, branches_B2);
    if (Contains(options.blocks, i + 1)) encoding->blocks_BND[i + 1] = Shown(x_BND, extra);
  }
  return x_BND;
}

std::vector<double> DropPathRates(double rate, int num) {
  std::vector<double> rates;
  for (int i = 0; i < num; ++i) rates.insert(rates.end(), 2, num > 1 ? rate * i / (num - 1) : rate);
  return rates;
}

at::Tensor DropPathScales(absl::Span<const RandomKey> keys, const std::vector<double>& rates) {
  if (std::all_of(rates.begin(), rates.end(), [](double rate) { return rate == 0; })) return at::Tensor();
  const auto branches = static_cast<int64_t>(rates.size());
  at::Tensor scales_BR = at::ones({static_cast<int64_t>(keys.size()), branches}, at::kFloat);
  float* out = scales_BR.data_ptr<float>();
  for (const RandomKey& key : keys) {
    const RandomKey draws = key.Fold("drop_path");
    for (int64_t r = 0; r < branches; ++r) {
      *out++ = draws.Uniform(r) < rates[r] ? 0 : static_cast<float>(1 / (1 - rates[r]));
    }
  }
  return scales_BR;
}

}  // namespace mimeo
