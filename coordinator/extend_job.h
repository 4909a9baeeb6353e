// Whether a finished job may go on with another spec, and how. Its schedule alone may be longer: with anything else in
// the spec what was trained so far would be another job's. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "coordinator/cluster_state.h"

namespace mimeo {

// The event that lets the job go on by `resolved`, for ClusterState::Check, which looks at its state and its steps.
// FailedPrecondition: the spec differs from the job's in more than its length, and in the warm-up where that is the
// same share of the schedule. Each other field is named with both values, one a line.
absl::StatusOr<Event> ExtensionOf(const JobInfo& job, const JobSpec& resolved, const std::string& user);

}  // namespace mimeo
