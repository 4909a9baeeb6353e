#include "job/job_state.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace mimeo {

std::string StateName(JobState state) {
  const std::string& name = JobState_Name(state);
  if (name.empty()) return absl::StrCat("unknown (", static_cast<int>(state), ")");
  return absl::AsciiStrToLower(absl::StripPrefix(name, "JOB_STATE_"));
}

}  // namespace mimeo
