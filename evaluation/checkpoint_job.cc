#include "evaluation/checkpoint_job.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "job/job_spec.h"

namespace mimeo {

absl::StatusOr<JobSpec> JobOfCheckpoint(const SafetensorsView& checkpoint, const std::string& path) {
  const auto text = checkpoint.metadata().find("job");
  if (text == checkpoint.metadata().end()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": not a checkpoint of Mimeo: its metadata has no `job`"));
  }
  return ParseRecipe(text->second, absl::StrCat(path, " (metadata key `job`)"));
}

}  // namespace mimeo
