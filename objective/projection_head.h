// The heads of methods that compare views: linear layers with BatchNorm and an activation between them. They are thrown
// away after pre-training. One thread at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/parameters.h"
#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

// Brings each feature to mean 0 and variance 1 (biased, + 1e-5 under the root; arXiv 1502.03167) over all ranks' rows,
// and over both views where they go through the head together. It gathers each rank's mean and variance, through which
// gradients pass. REQUIRES: all ranks have equally many rows, and call Forward in the same order.
//
// There are no running statistics, because nobody uses these heads after pre-training, and so nobody asks what one
// would do with a single image.
class BatchNorm {
 public:
  // Adds NAME.{weight, bias} if `affine`.
  BatchNorm(const std::string& name, int64_t width, bool affine, Parameters* parameters);
  at::Tensor Forward(const at::Tensor& x_NX, const RowGatherer& rows) const;

 private:
  at::Tensor weight_X_, bias_X_;  // undefined without affine
};

// What follows the last linear layer.
enum class HeadEnd { kLinear, kBatchNorm };
enum class HeadActivation { kRelu, kGelu };

struct HeadShape {
  std::vector<int64_t> widths;  // input, hidden layers, output
  bool batch_norm = false;
  HeadEnd end = HeadEnd::kLinear;
  HeadActivation activation = HeadActivation::kRelu;
};

class ProjectionHead {
 public:
  // Adds PREFIXfc1.weight, PREFIXnorm1.{weight, bias}, PREFIXfc2.weight, and so on. A linear layer whose output a
  // BatchNorm centres has no bias. Without `batch_norm` there is no BatchNorm anywhere, whatever `end` says. The
  // BatchNorm at the end has no affine.
  ProjectionHead(const std::string& prefix, const HeadShape& shape, Parameters* parameters);

  // (N, in) -> (N, out), in float32, or float64 where `x_NX` is float64. Without BatchNorm, `rows` is not used.
  at::Tensor Forward(const at::Tensor& x_NX, const RowGatherer& rows) const;

 private:
  const HeadActivation activation_;
  std::vector<Linear> linears_;
  std::vector<BatchNorm> norms_;  // of the first layers; none without batch norm
};

}  // namespace mimeo
