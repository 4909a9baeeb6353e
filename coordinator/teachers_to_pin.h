// Which contracts of teachers a job should pin, from what its ranks say. A job keeps to the teacher that it began with,
// even if another one appears under the same name. Pure.
#pragma once

#include <vector>

#include "coordinator/cluster_state.h"
#include "coordinator/gang_reports.h"

namespace mimeo {

// An event TeacherPinned for each teacher that the job's spec names, that a rank of the running generation spoke to,
// and that is not pinned yet. Where ranks spoke to different teachers of one name, the word of the lowest rank counts.
// The others learn it with the next heartbeat, and refuse a teacher with another contract.
std::vector<Event> TeachersToPin(const JobInfo& job, const GangReport& gang);

}  // namespace mimeo
