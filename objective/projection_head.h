// The heads of methods that compare views: linear layers with BatchNorm and an activation between them. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "model/parameters.h"
#include "model/transformer.h"
#include "objective/objective.h"

namespace mimeo {

// Each feature to mean 0 and variance 1 (biased, + 1e-5 under the root; arXiv 1502.03167) over all ranks' rows, of both
// views together: gathering each rank's mean and variance, through which gradients pass, is enough. All ranks have
// equally many rows.
//
// There are no running statistics: the heads that hold it are thrown away after pre-training, so nobody asks what it
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
  // Adds PREFIXfc1.weight, PREFIXnorm1.{weight, bias}, PREFIXfc2.weight, ...: a linear
  // layer whose output a BatchNorm centres has no bias. Without `batch_norm` there is none anywhere, whatever `end`
  // says. The BatchNorm at the end has no affine.
  ProjectionHead(const std::string& prefix, const HeadShape& shape, Parameters* parameters);

  // (N, in) -> (N, out), float32 or wider.
  at::Tensor Forward(const at::Tensor& x_NX, const RowGatherer& rows) const;

 private:
  const HeadActivation activation_;
  std::vector<Linear> linears_;
  std::vector<BatchNorm> norms_;  // of the first layers; none without batch norm
};

}  // namespace mimeo
