// What is wrong with a job's spec: all of it at once, so that a person mends a recipe in one go. Most callers want
// ResolveJobSpec (job/job_spec.h), which fills in the defaults and calls these. Pure.
#pragma once

#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// For a spec of more than limits::kSpecBytes: that it is, and which of its paths are wrong. Nothing else of it is
// looked at. Empty for a spec that is not too large.
std::vector<std::string> SizeProblems(const JobSpec& spec);

// One line for each problem: the path of the field, what its value is, and what would be right. Empty when the spec is
// legal. REQUIRES: FillDefaults was called.
std::vector<std::string> Problems(const JobSpec& spec);

}  // namespace mimeo
