// The recipe that a person names on the command line.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"

namespace mimeo {

// Reads and parses the recipe at `path`: a file, or a pipe whose writer has something to say within ten seconds.
// InvalidArgument in every other case, "RECIPE: ..." or each problem of the text on a line.
absl::StatusOr<JobSpec> ReadRecipe(const std::string& path);

}  // namespace mimeo
