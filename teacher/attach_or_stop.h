// Waits for a teacher in such a way that a person can end the wait. One thread.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "teacher/feature_source.h"

namespace mimeo {

// Calls FeatureSource::Attach for as long as it takes, or until `stop_wanted`, which is polled once a second.
// Cancelled: a stop was wanted; the message names the teacher. Other errors are Attach's.
absl::Status AttachOrStop(FeatureSource* teacher, const Batch& batch, const std::function<bool()>& stop_wanted,
                          std::vector<ViewInput>* views);

}  // namespace mimeo
