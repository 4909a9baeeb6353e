// Opens the data sets that a job names, on a rank.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/patience.h"

namespace mimeo {

struct JobData {
  std::string field;  // of the spec, for messages: "data.path"
  std::string path;
  bool read_before = false;                     // by a rank of this job, here or elsewhere
  std::string digest = {};                      // that it had then; empty: any is right
  int64_t num_samples = 0;                      // that it had then; 0: not known
  absl::Duration believed = absl::Seconds(10);  // after so long without a change, what is there is what is there
};

// What was never read is refused at once, with the code of Dataset::Open: a mistyped path is no outage. What was, and
// is not there (NotFound, as an empty folder; PermissionDenied, Unavailable), is waited for with the reason told. What
// is there and is something else (another digest, a damaged tar) may be in the middle of being copied back: it is
// waited for while it changes, and believed when it has been the same for `believed`. FailedPrecondition then: says
// what it was and what it is. Cancelled: a stop was wanted. The opened data set waits likewise for samples that go away
// (patient_dataset.h).
absl::StatusOr<std::unique_ptr<Dataset>> OpenJobData(const JobData& data, const Patience& patience,
                                                     Progress* progress = nullptr);

}  // namespace mimeo
