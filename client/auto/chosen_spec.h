// The job that a choice comes to. Pure.
#pragma once

#include <cstdint>

#include "client/auto/choose.h"
#include "client/auto/gang.h"
#include "proto/job.pb.h"

namespace mimeo {

struct ChosenParts {
  const Survey& survey;
  const Machine& machine;
  const Wishes& wishes;
  Method method;
  const Size& size;
  const Gang& gang;
  double epochs = 0;
  double images_per_second = 0;
  int64_t judged_most = 0;  // photos of a set that evaluations look at
};

// Only what was chosen: every other field is left to its default. Where the photos are many, evaluations look at
// judged_most of them.
JobSpec ChosenSpec(const ChosenParts& parts);

}  // namespace mimeo
