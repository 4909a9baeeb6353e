// A recipe that a person, a script or a client of another version sends. What is parsed reads back equal from its text;
// a job that is resolved is within its bound, resolves to itself, and is what a later version reads.
#include "base/limits.h"
#include "job/job_spec.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(recipe) {
  constexpr size_t kMessageBytes = 128 << 10;  // a hundred problems, one a line
  const absl::StatusOr<JobSpec> spec = ParseRecipe(bytes, "recipe.textproto");
  if (!spec.ok()) return CheckRefusal(spec.status(), {absl::StatusCode::kInvalidArgument}, kMessageBytes);
  const absl::StatusOr<JobSpec> again = ParseRecipe(JobSpecText(*spec), "again");
  MIMEO_CHECK(again.ok(), again.status().ToString());
  MIMEO_CHECK(again->SerializeAsString() == spec->SerializeAsString(), JobSpecText(*spec));
  const absl::StatusOr<JobSpec> resolved = ResolveJobSpec(*spec);
  if (!resolved.ok()) return CheckRefusal(resolved.status(), {absl::StatusCode::kInvalidArgument}, kMessageBytes);
  const std::string stored = resolved->SerializeAsString();
  MIMEO_CHECK(static_cast<int64_t>(stored.size()) <= limits::kSpecBytes, stored.size(), " bytes");
  const absl::StatusOr<JobSpec> twice = ResolveJobSpec(*resolved);
  MIMEO_CHECK(twice.ok() && twice->SerializeAsString() == stored, JobSpecText(*resolved));
  MIMEO_CHECK(InThisVersion(*resolved).SerializeAsString() == stored, JobSpecText(*resolved));
}

}  // namespace mimeo::fuzz
