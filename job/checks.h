// What is wrong with a job, all of it at once. Pure.
#pragma once

#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// One line a problem: the field's path, what it is, and what would be right. REQUIRES: FillDefaults was called.
std::vector<std::string> Problems(const JobSpec& spec);

}  // namespace mimeo
