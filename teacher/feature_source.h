// Teacher tokens for the patches of a batch that are mimicked, and the patches themselves where the teacher chooses
// them. Blocking; the batch pipeline calls it one step ahead. One thread. Implementations: what ConnectTeacher gives
// (teacher/teacher_client.h) and, in tests of recipes, a teacher in the same process.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "data/loader.h"
#include "objective/objective.h"
#include "teacher/teacher_request.h"

namespace mimeo {

class FeatureSource {
 public:
  virtual ~FeatureSource() = default;
  // Sets teacher_BNT[o] of every view for each objective o of the request, at its plan's MimickedPatches. A view
  // without a plan gets it from the source whose request draws masks, which comes before the others. Reconnects and
  // retries for as long as it takes until `deadline`: a teacher that is away stalls the job, never skips the term.
  // DeadlineExceeded: not there yet; the request goes on, and a call with the same batch and views waits for its answer
  // again (another batch gives it up). FailedPrecondition: the teacher is not the job's any more (TeacherPins), or no
  // longer fits it; nothing of it was set. InvalidArgument: the batch is not of the job's size; a view has no plan and
  // none is drawn. DataLoss: the teacher breaks its contract.
  virtual absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) = 0;
  virtual const TeacherRequest& request() const = 0;
  virtual int width() const = 0;  // T
};

}  // namespace mimeo
