// Teacher tokens for the visible patches of a batch. Blocking; the batch pipeline calls it one step ahead. One thread.
// Implementations: TeacherClient (gRPC stream) and, in tests, a fake.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "data/loader.h"
#include "objective/objective.h"
#include "proto/job.pb.h"

namespace mimeo {

class FeatureSource {
 public:
  virtual ~FeatureSource() = default;
  // Sets teacher_BKT[name()] of every view, for its plan's visible patches. Reconnects and retries for as long as it takes
  // until `deadline`: a teacher that is away stalls the job, never skips the term.
  // DeadlineExceeded: not there yet; the request goes on, and a call with the same batch and views waits for its answer
  // again (another batch gives it up). FailedPrecondition: the teacher came back with another contract (both are in the
  // message). InvalidArgument: the batch is not of the contract's size. DataLoss: the teacher breaks its contract.
  virtual absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) = 0;
  virtual const std::string& name() const = 0;
  virtual int width() const = 0;  // T
};

struct TeacherClientOptions {
  std::string name;
  std::function<std::string()> address;          // the newest known; may change when the teacher restarts
  std::function<void(bool waiting)> on_waiting;  // true when the teacher does not answer, false once it does
  int image_px = 0;                              // of the student's crops
  int patch_px = 0;
};
// Waits for the teacher, asks Describe and refuses one that does not fit.
// FailedPrecondition: the teacher's image or patch size is not the student's; both contracts are in the message.
// DeadlineExceeded: it may be tried again; on_waiting stays true until one succeeds.
absl::StatusOr<std::unique_ptr<FeatureSource>> ConnectTeacher(const TeacherClientOptions& options, absl::Time deadline);

}  // namespace mimeo
