// Activation checkpointing (arXiv 1604.06174): the intermediate results of a part of a model are not kept for the
// backward pass, but computed again in it. The numbers are the same. It costs one more forward pass, and memory holds
// one part's results at a time in place of all.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace mimeo {

// Gives body(x), computed once now and once more in the backward pass. As far as gradients go, `body` depends on x and
// on `parameters` alone, and it gives the same each time. Gradients of `parameters` leave by this one node and are
// added up by the engine like any others, so a part may be used several times in a pass, and a reducer sees each
// parameter once. Where no gradient is wanted of x, or gradients are off, it is body(x) and nothing more.
at::Tensor Recomputed(const at::Tensor& x, const std::vector<at::Tensor>& parameters,
                      const std::function<at::Tensor(const at::Tensor& x)>& body);

}  // namespace mimeo
