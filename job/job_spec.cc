#include "job/job_spec.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_join.h"
#include "job/checks.h"
#include "job/defaults.h"

namespace mimeo {

absl::StatusOr<JobSpec> ResolveJobSpec(const JobSpec& spec) {
  JobSpec resolved = spec;
  FillDefaults(&resolved);
  const std::vector<std::string> problems = Problems(resolved);
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return resolved;
}

int NumVisible(int num_patches, double hidden_fraction) { return static_cast<int>(num_patches * (1 - hidden_fraction)); }

int PatchPx(const JobSpec& spec) { return spec.encoder().vit().patch_px(); }

int NumPatches(const JobSpec& spec) {
  const int side = spec.data().image_px() / PatchPx(spec);
  return side * side;
}

int64_t StepsPerEpoch(const JobSpec& spec, int64_t num_samples) { return num_samples / spec.data().global_batch(); }

int64_t TotalSteps(const JobSpec& spec, int64_t num_samples) {
  if (spec.schedule().has_steps()) return spec.schedule().steps();
  const double steps = spec.schedule().epochs() * static_cast<double>(StepsPerEpoch(spec, num_samples));
  return std::max<int64_t>(1, static_cast<int64_t>(std::floor(steps)));
}

int64_t AccumulationSteps(const JobSpec& spec) {
  return spec.data().global_batch() / (spec.resources().num_ranks() * spec.resources().micro_batch());
}

std::vector<std::string> TeacherNames(const JobSpec& spec) {
  std::set<std::string> names;
  for (const ObjectiveSpec& objective : spec.objective()) {
    if (objective.has_mimic()) names.insert(objective.mimic().teacher());
  }
  return {names.begin(), names.end()};
}

}  // namespace mimeo
