// The recipe that a person names on the command line.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"

namespace mimeo {

// Reads and parses the recipe at `path`. It may be a file, or a pipe whose writer has something to say within ten
// seconds. The only error is InvalidArgument: "RECIPE: ..." when it cannot be read, else each problem of the text on a
// line of its own.
absl::StatusOr<JobSpec> ReadRecipe(const std::string& path);

}  // namespace mimeo
