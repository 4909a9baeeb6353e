// What is wrong with a job, all of it at once. Pure.
#pragma once

#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// What is wrong with a spec that is too large to be looked at further; empty when it is not.
std::vector<std::string> SizeProblems(const JobSpec& spec);

// One line a problem: the field's path, what it is, and what would be right. REQUIRES: FillDefaults was called.
std::vector<std::string> Problems(const JobSpec& spec);

}  // namespace mimeo
