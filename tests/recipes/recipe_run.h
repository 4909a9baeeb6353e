// A recipe trained in this process for a few steps, on the example photos, as a gang of one: everything that a rank does but
// the network. A teacher is an encoder with random weights that really computes. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"

namespace mimeo {

// One value a step.
struct RecipeRun {
  std::vector<double> losses;
  std::map<std::string, std::vector<double>> terms;
  std::map<std::string, std::vector<double>> stats;
};

// `spec` is a recipe as read; data.path is replaced. Errors: of its parts.
absl::StatusOr<RecipeRun> RunRecipe(JobSpec spec, int64_t steps);

}  // namespace mimeo
