#include "worker/training/row_gatherer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mimeo {
namespace {

using torch::autograd::variable_list;

void SumOrThrow(Gang* gang, const at::Tensor& tensor) {
  const absl::Status status = gang->Sum(tensor);
  TORCH_CHECK(status.ok(), std::string(status.message()));
}

// This rank's rows of (W * B, X), a view.
at::Tensor OwnRows(const at::Tensor& all, const Gang& gang) {
  const int64_t num_rows = all.size(0) / gang.size();
  return all.narrow(0, gang.rank() * num_rows, num_rows);
}

// Every rank's loss may depend on every row, so that a row's gradient is the sum over ranks.
class GatherBackward final : public torch::autograd::Node {
 public:
  GatherBackward(Gang* gang, torch::autograd::edge_list edges) : Node(std::move(edges)), gang_(gang) {}

  variable_list apply(variable_list&& gradients) override {
    const at::Tensor sum = gradients[0].clone(at::MemoryFormat::Contiguous);
    SumOrThrow(gang_, sum);
    return {OwnRows(sum, *gang_).clone()};
  }
  std::string name() const override { return "GatherBackward"; }

 private:
  Gang* const gang_;
};

// The rows at their places among zeros, summed over ranks: more traffic than an all-gather's, for rows that are few
// beside the gradients, by the one collective that a Gang has.
at::Tensor Gather(Gang* gang, const at::Tensor& rows_BX) {
  at::Tensor all;
  {
    const at::NoGradGuard no_grad;
    std::vector<int64_t> shape = rows_BX.sizes().vec();
    shape[0] *= gang->size();
    all = at::zeros(shape, rows_BX.options());
    OwnRows(all, *gang).copy_(rows_BX);
    SumOrThrow(gang, all);
  }
  if (torch::autograd::compute_requires_grad(rows_BX)) {
    const auto node = std::make_shared<GatherBackward>(gang, torch::autograd::collect_next_edges(rows_BX));
    torch::autograd::set_history(all, node);
  }
  return all;
}

}  // namespace

RowGatherer MakeRowGatherer(Gang* gang) {
  RowGatherer gatherer;
  gatherer.rank = gang->rank();
  gatherer.size = gang->size();
  if (gang->size() > 1) gatherer.gather = [gang](const at::Tensor& rows_BX) { return Gather(gang, rows_BX); };
  return gatherer;
}

}  // namespace mimeo
