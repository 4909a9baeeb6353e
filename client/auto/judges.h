// Whether the photos that are to judge an encoder can, before anything is trained. A job finds the same out when its
// ranks have started. Pure.
#pragma once

#include "absl/status/status.h"
#include "client/worker_verbs/survey.h"

namespace mimeo {

// InvalidArgument, naming --evaluate: `judges` and `photos` have labels, and no class is in both.
absl::Status CheckClassesMeet(const Survey& photos, const Survey& judges);

// InvalidArgument, naming --hold_out: `share` of `photos`, which were surveyed with it, holds out none of them, or all
// (the message says which share would hold one out, where one does), or each class has one photo.
absl::Status CheckDivision(const Survey& photos, double share);

}  // namespace mimeo
