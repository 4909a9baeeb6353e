#include "model/recompute.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <memory>
#include <string>
#include <utility>

namespace mimeo {
namespace {

using torch::autograd::variable_list;
using Body = std::function<at::Tensor(const at::Tensor&)>;

// Inputs: x, then the parameters. (torch::autograd::Function takes a fixed number of tensors.)
class RecomputeBackward final : public torch::autograd::Node {
 public:
  RecomputeBackward(torch::autograd::edge_list edges, const variable_list& inputs, Body body)
      : Node(std::move(edges)), body_(std::move(body)) {
    for (const at::Tensor& input : inputs) saved_.emplace_back(input, /*is_output=*/false);
  }

  variable_list apply(variable_list&& gradients) override {
    variable_list inputs, wanted;
    for (const torch::autograd::SavedVariable& saved : saved_) inputs.push_back(saved.unpack());
    inputs[0] = inputs[0].detach().requires_grad_();
    at::Tensor output;
    {
      const at::AutoGradMode with_grad(true);
      output = body_(inputs[0]);
    }
    for (const at::Tensor& input : inputs) {
      if (input.requires_grad()) wanted.push_back(input);
    }
    const variable_list found = torch::autograd::grad({output}, wanted, {gradients[0]});
    variable_list all;
    size_t next = 0;
    for (const at::Tensor& input : inputs) all.push_back(input.requires_grad() ? found[next++] : at::Tensor());
    return all;
  }

  void release_variables() override {
    for (torch::autograd::SavedVariable& saved : saved_) saved.reset_data();
  }
  std::string name() const override { return "RecomputeBackward"; }

 private:
  std::vector<torch::autograd::SavedVariable> saved_;
  const Body body_;
};

}  // namespace

at::Tensor Recomputed(const at::Tensor& x, const std::vector<at::Tensor>& parameters, const Body& body) {
  if (!at::GradMode::is_enabled() || !x.requires_grad()) return body(x);
  variable_list inputs = {x};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  torch::autograd::edge_list edges;
  for (const at::Tensor& input : inputs) {
    edges.push_back(input.requires_grad() ? torch::autograd::impl::gradient_edge(input) : torch::autograd::Edge());
  }
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    y = body(x);
  }
  torch::autograd::set_history(y, std::make_shared<RecomputeBackward>(std::move(edges), inputs, body));
  return y;
}

}  // namespace mimeo
