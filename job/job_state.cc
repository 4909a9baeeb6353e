#include "job/job_state.h"

#include "absl/strings/ascii.h"
#include "absl/strings/strip.h"

namespace mimeo {

std::string StateName(JobState state) {
  return absl::AsciiStrToLower(absl::StripPrefix(JobState_Name(state), "JOB_STATE_"));
}

}  // namespace mimeo
