// Where our other binaries are. Pure but for the file system and the environment; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace mimeo {

// The path of the binary or shared object `name` ("worker", "libmimeo_cuda.so"): in the folder that the environment
// variable MIMEO_BIN_DIR names; beside the calling executable, as in an installation; in Bazel's runfiles; or in
// another package of the build tree in which the executable lies. NotFound lists where it looked.
absl::StatusOr<std::string> FindBinary(const std::string& name);

// As FindBinary finds it in a process of `executable`.
absl::StatusOr<std::string> FindBinaryFor(const std::string& executable, const std::string& name);

}  // namespace mimeo
