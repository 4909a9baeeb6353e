// The defaults that the comments of proto/job.proto state, written out. Pure.
#pragma once

#include "proto/job.pb.h"

namespace mimeo {

// Fills every absent field that has a default. Says nothing about whether the result makes sense (job/checks.h).
void FillDefaults(JobSpec* spec);

}  // namespace mimeo
