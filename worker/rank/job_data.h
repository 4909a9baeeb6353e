// Opens the data sets that a job names, on a rank, and divides the one that it holds a part out of. What a job has once
// read may be away for a while; then the rank waits.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/patience.h"

namespace mimeo {

// One data set of a job, and what the job knows about it by now.
struct JobData {
  std::string field;  // of the spec, for messages: "data.path"
  std::string path;
  bool read_before = false;  // whether a rank of this job has read it, here or elsewhere
  std::string digest = {};   // what it was then; empty: any digest is right
  int64_t num_samples = 0;   // how many it had then; 0: not known
  // When what is there has not changed for so long, it is taken for what is there for good.
  absl::Duration believed = absl::Seconds(10);
  std::string members = {};  // Dataset::Open's
  double hold_out = 0;       // the job's evaluation.hold_out, which a data set that is trained on may have
  int64_t global_batch = 0;  // with hold_out: fewer images must not be left to train on
};

// What became of one data set of a job. Each of these waits for samples that go away (data/patient_dataset.h).
struct OpenedJobData {
  std::unique_ptr<Dataset> dataset;  // what is trained on, or all of it
  // With hold_out: the images that are never trained on, and the others once more, as the bank that judges them.
  std::unique_ptr<Dataset> held_out;
  std::unique_ptr<Dataset> bank;
};

// Blocks until the data set is open and, with hold_out, divided (data/divided_dataset.h); digest and num_samples are
// then those of the part that is trained on.
//
// What no rank has read before is refused at once with the code of Dataset::Open, because a mistyped path is no outage.
// What was read before and is not there now (NotFound, as of an empty folder; PermissionDenied; Unavailable) is waited
// for, and `patience` is told the reason. What is there but is something else, such as another digest or a damaged tar,
// may be in the middle of being copied back. It is waited for while it changes, and believed once it has been the same
// for `believed`. Then FailedPrecondition says what it was and what it is. InvalidArgument, naming evaluation.hold_out:
// no image is held out, or fewer are left than global_batch. Cancelled: a stop was wanted.
absl::StatusOr<OpenedJobData> OpenJobData(const JobData& data, const Patience& patience, Progress* progress = nullptr);

}  // namespace mimeo
