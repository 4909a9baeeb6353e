// What stands behind --set: FIELD=VALUE, one a line, on a job with lists. A value that is refused leaves the job as it
// was, and a job that took all of them can be written and read.
#include "absl/strings/str_split.h"
#include "job/job_spec.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(assignment) {
  JobSpec spec;
  spec.add_objective()->set_name("pixels");
  spec.add_objective()->set_name("mimic");
  for (const absl::string_view line : absl::StrSplit(bytes, '\n')) {
    const std::string before = spec.SerializeAsString();
    const absl::Status status = SetField(line, &spec);
    if (status.ok()) continue;
    CheckRefusal(status, {absl::StatusCode::kInvalidArgument, absl::StatusCode::kNotFound}, 4096);
    MIMEO_CHECK(spec.SerializeAsString() == before, "refused and set: ", status.ToString());
  }
  const absl::StatusOr<JobSpec> again = ParseRecipe(JobSpecText(spec), "again");
  MIMEO_CHECK(again.ok(), again.status().ToString());
  MIMEO_CHECK(again->SerializeAsString() == spec.SerializeAsString(), JobSpecText(spec));
}

}  // namespace mimeo::fuzz
