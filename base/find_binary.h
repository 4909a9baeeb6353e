// Where the other binaries and shared objects of this build are. The functions look at the file system and at the
// environment, and remember nothing; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace mimeo {

// The path of `name`, such as "worker" or "libmimeo_cuda.so". It looks into these places and takes the first that has
// it: the folder that the environment variable MIMEO_BIN_DIR names; the folder of the calling executable, as in an
// installation; Bazel's runfiles; and the other packages of the build tree in which the executable lies. NotFound lists
// the places.
absl::StatusOr<std::string> FindBinary(const std::string& name);

// What FindBinary would find in a process that runs `executable` with this process's environment.
absl::StatusOr<std::string> FindBinaryFor(const std::string& executable, const std::string& name);

}  // namespace mimeo
