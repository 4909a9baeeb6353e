#include "job/job_spec.h"

#include "absl/strings/str_join.h"
#include "job/checks.h"
#include "job/defaults.h"

namespace mimeo {

absl::StatusOr<JobSpec> ResolveJobSpec(const JobSpec& spec) {
  // Too large as it is given: nothing walks through what somebody repeated a million times.
  std::vector<std::string> problems = SizeProblems(spec);
  JobSpec resolved = spec;
  if (problems.empty()) {
    FillDefaults(&resolved);
    problems = SizeProblems(resolved);
  }
  if (problems.empty()) problems = Problems(resolved);
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return resolved;
}

JobSpec InThisVersion(const JobSpec& resolved) {
  const absl::StatusOr<JobSpec> again = ResolveJobSpec(resolved);
  return again.ok() ? *again : resolved;
}

}  // namespace mimeo
