#include "model/finite.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>

#include <cmath>
#include <tuple>

#include "absl/strings/str_cat.h"

namespace mimeo {

bool AllFinite(const std::vector<at::Tensor>& tensors) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> ends;  // NaN is both the smallest and the largest of what holds it
  for (const at::Tensor& tensor : tensors) {
    if (!tensor.is_floating_point() || tensor.numel() == 0) continue;
    const auto [least, most] = at::aminmax(tensor);
    ends.push_back(least.to(at::kDouble));
    ends.push_back(most.to(at::kDouble));
  }
  return ends.empty() || at::isfinite(at::stack(ends)).all().item<bool>();
}

std::string NotFinite(const at::Tensor& tensor) {
  if (!tensor.is_floating_point()) return "";
  const at::NoGradGuard no_grad;
  const at::Tensor finite = at::isfinite(tensor).flatten();
  if (finite.all().item<bool>()) return "";
  const at::Tensor places = finite.logical_not().nonzero().select(1, 0);
  const int64_t first = places[0].item<int64_t>();
  const double value = tensor.flatten()[first].item<double>();
  const char* const text = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  return absl::StrCat(places.size(0), " of ", tensor.numel(), " values that are not finite, the first of them ", text,
                      " at ", first);
}

}  // namespace mimeo
