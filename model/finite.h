// Whether numbers are finite. Weights and features with NaN or infinity give answers that look like any other, so they
// are looked for. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace mimeo {

// Whether all values of all tensors are finite. It makes one pass over each, needs no memory of their size, and waits
// for the device once, so it may be asked of a whole model again and again. All tensors are on one device.
bool AllFinite(const std::vector<at::Tensor>& tensors);

// Empty where every value is finite, or where the type has only finite ones. Otherwise a part of a message: "3 of 4608
// values that are not finite, the first of them nan at 17", counted row by row. It takes any strides and device, and
// waits for the device.
std::string NotFinite(const at::Tensor& tensor);

}  // namespace mimeo
