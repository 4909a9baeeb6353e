// The contracts of a job's teachers, from what its ranks said. Pure.
#pragma once

#include <vector>

#include "coordinator/cluster_state.h"
#include "coordinator/gang_reports.h"

namespace mimeo {

// TeacherPinned for each teacher that the job's spec names, that a rank of the running generation spoke to, and that is
// not pinned yet: by the lowest rank's word. What is pinned stays: a rank that meets another contract under the name
// refuses it.
std::vector<Event> TeachersToPin(const JobInfo& job, const GangReport& gang);

}  // namespace mimeo
