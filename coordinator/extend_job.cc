#include "coordinator/extend_job.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/text.h"
#include "job/job_shape.h"
#include "job/spec_difference.h"

namespace mimeo {

absl::StatusOr<Event> ExtensionOf(const JobInfo& job, const JobSpec& resolved, const std::string& user) {
  const std::vector<std::string> differences = DifferencesButLength(job.spec, resolved);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(ToLines(
        absl::StrCat(job.id, " can only be made longer (schedule.epochs or schedule.steps); this differs too:\n",
                     absl::StrJoin(differences, "\n"))));
  }
  Event event;
  JobExtended& extended = *event.mutable_job_extended();
  extended.set_job_id(job.id);
  *extended.mutable_spec() = resolved;
  extended.set_total_steps(TotalSteps(resolved, job.num_samples));
  extended.set_user(ToText(user, limits::kNameBytes));
  return event;
}

}  // namespace mimeo
