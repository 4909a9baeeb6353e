// In which fields two jobs differ, for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// "schedule.epochs: 20, but 10 in the job" for each field that differs, in the order of job.proto. An element of a list
// is called by its name, or else by its number: objective[pixels].weight. A list of another length is named as a whole.
// A block that one of them has alone stands with its fields, "mask.block: { min_patches: 4 }, but not set in the job",
// or where it has none as "set".
std::vector<std::string> SpecDifferences(const JobSpec& of_job, const JobSpec& asked);

// Likewise, but for how long the two train: the schedule's epochs or steps, and the warm-up where it is the same share
// of the training. What is left is why one is no longer form of the other.
std::vector<std::string> DifferencesButLength(const JobSpec& of_job, const JobSpec& asked);

}  // namespace mimeo
