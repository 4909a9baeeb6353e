// NumPy's file of one array (numpy.lib.format, version 1.0: numpy.org/doc/stable/reference/generated/
// numpy.lib.format.html), which numpy.load reads and everything that takes NumPy's arrays: scikit-learn, pandas,
// PyTorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace mimeo {

// The beginning of a file that holds float32 numbers in row-major order, the lowest byte first. Pure.
std::string NpyHeader(int64_t rows, int64_t columns);

// Writes a float32 matrix of the CPU. It needs the memory of the matrix twice. The errors are those of WriteFileAtomic.
absl::Status WriteNpy(const std::string& path, const at::Tensor& rows_ND);

}  // namespace mimeo
