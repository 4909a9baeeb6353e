// The default values of a job's spec. The comments of proto/job.proto state them for people, and this writes them into
// a spec, so that the spec which the coordinator stores says everything. Pure.
#pragma once

#include "proto/job.pb.h"

namespace mimeo {

// Fills every absent field that has a default, and changes no field that is there. It never fails: job/checks.h says
// whether the result makes sense.
void FillDefaults(JobSpec* spec);

}  // namespace mimeo
