// Activation checkpointing (arXiv 1604.06174): a part of a model whose intermediate results are not kept for the
// backward pass but computed again in it. The same numbers, a forward pass more, and memory for one part in place of
// all.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace mimeo {

// body(x), once now and once in the backward pass. `body` is a function of x and of `parameters` alone as far as
// gradients go, and gives the same each time. Gradients of `parameters` leave by this node and are added up by the
// engine like any others, so that a part may be used several times in a pass and a reducer sees each parameter once.
// Where no gradient is wanted of x, or none at all, it is body(x) and nothing more.
at::Tensor Recomputed(const at::Tensor& x, const std::vector<at::Tensor>& parameters,
                      const std::function<at::Tensor(const at::Tensor& x)>& body);

}  // namespace mimeo
