#include "objective/projection_head.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>

#include "objective/losses.h"

namespace mimeo {
namespace {

constexpr double kNormEpsilon = 1e-5;

}  // namespace

BatchNorm::BatchNorm(const std::string& name, int64_t width, bool affine, Parameters* parameters) {
  if (!affine) return;
  weight_X_ = parameters->Add(name + ".weight", {width}, Init::kOnes);
  bias_X_ = parameters->Add(name + ".bias", {width}, Init::kZeros);
}

at::Tensor BatchNorm::Forward(const at::Tensor& x_NX, const RowGatherer& rows) const {
  const at::Tensor x = AtLeastFloat(x_NX);
  const int64_t width = x.size(1);
  const at::Tensor own_mean_X = x.mean(0);
  const at::Tensor own_variance_X = (x - own_mean_X).square().mean(0);
  const at::Tensor moments_WX = rows.gather(at::cat({own_mean_X, own_variance_X}).unsqueeze(0));
  const at::Tensor means_WX = moments_WX.slice(1, 0, width), variances_WX = moments_WX.slice(1, width);
  const at::Tensor mean_X = means_WX.mean(0);
  // Of ranks with equally many rows: the mean of their variances plus the variance of their means.
  const at::Tensor variance_X = (variances_WX + (means_WX - mean_X).square()).mean(0);
  const at::Tensor normalised = (x - mean_X) * (variance_X + kNormEpsilon).rsqrt();
  return weight_X_.defined() ? normalised * weight_X_ + bias_X_ : normalised;
}

ProjectionHead::ProjectionHead(const std::string& prefix, const HeadShape& shape, Parameters* parameters)
    : activation_(shape.activation) {
  const std::vector<int64_t>& widths = shape.widths;
  for (size_t i = 1; i < widths.size(); ++i) {
    const bool last = i + 1 == widths.size();
    const bool normed = shape.batch_norm && (!last || shape.end == HeadEnd::kBatchNorm);
    const std::string number = std::to_string(i);
    linears_.emplace_back(prefix + "fc" + number, widths[i - 1], widths[i], parameters, /*bias=*/!normed);
    if (normed) norms_.emplace_back(prefix + "norm" + number, widths[i], /*affine=*/!last, parameters);
  }
}

at::Tensor ProjectionHead::Forward(const at::Tensor& x_NX, const RowGatherer& rows) const {
  at::Tensor x = x_NX;
  for (size_t i = 0; i < linears_.size(); ++i) {
    x = AtLeastFloat(linears_[i](x));
    if (i < norms_.size()) x = norms_[i].Forward(x, rows);
    if (i + 1 < linears_.size()) x = activation_ == HeadActivation::kRelu ? at::relu(x) : at::gelu(x);
  }
  return x;
}

}  // namespace mimeo
