// A recipe trained in this process for a few steps, on the example photos, as a gang of one: everything that a rank
// does but the network. A teacher is an encoder with random weights that really computes. One thread.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/job.pb.h"

namespace mimeo {

// One value a step.
struct RecipeRun {
  at::Tensor
      first_gradient;  // of all trained parameters after the first step, clipped as the recipe says; double, on the CPU
  std::vector<double> losses;
  std::map<std::string, std::vector<double>> terms;
  std::map<std::string, std::vector<double>> stats;
};

// The schedule that tests/recipes/golden_losses.json was made with.
JobSpec WithGoldenSchedule(JobSpec recipe, int64_t steps);

struct RecipeRunOptions {
  int64_t steps = 0;
  at::Device device = at::kCPU;
  std::string photos = "examples/clothing/train";
  // Above 0: after so many steps the state is written, and the rest is run by parts made anew from it.
  int64_t save_after = 0;
};

// `spec` is a recipe as read; data.path is replaced. Errors: of its parts.
absl::StatusOr<RecipeRun> RunRecipe(JobSpec spec, const RecipeRunOptions& options);

}  // namespace mimeo
