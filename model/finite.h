// Whether numbers are numbers: weights and features with NaN or infinity give answers that look like any other. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace mimeo {

// Whether all of them are, in one pass over each that makes no tensor of its size and waits for a device once: for what
// is asked of a whole model again and again. All of one device.
bool AllFinite(const std::vector<at::Tensor>& tensors);

// Empty where every value is finite, or where the type knows no other; else for a message, "3 of 4608 values that are
// not finite, the first of them nan at 17" (counted row by row). Any strides and device.
std::string NotFinite(const at::Tensor& tensor);

}  // namespace mimeo
