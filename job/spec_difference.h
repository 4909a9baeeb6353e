// In which fields two jobs differ, for people. Pure.
#pragma once

#include <string>
#include <vector>

#include "proto/job.pb.h"

namespace mimeo {

// "schedule.epochs: 20, but 10 in the job" for each field that differs, in the order of job.proto. An element of a list
// is called by its name, or else by its number: objective[pixels].weight. A list of another length is named as a whole.
std::vector<std::string> SpecDifferences(const JobSpec& of_job, const JobSpec& asked);

// Whether the two differ only in how long they train: in the schedule's epochs or steps, and in the length of the
// warm-up, whose default follows from them.
bool DifferInLengthOnly(const JobSpec& of_job, const JobSpec& asked);

}  // namespace mimeo
