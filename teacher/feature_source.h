// Gives a batch the teacher's tokens for the patches that are mimicked, and the patches themselves where the teacher
// chooses them. A rank has one source for each request of its job. The batch pipeline calls it, one step ahead of the
// training. One thread.
//
// ConnectTeacher (teacher/teacher_client.h) gives the one that asks a teacher server; tests of recipes have a teacher
// in their own process. Whatever else can provide features, such as a store of them, implements this interface.
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
  // Sets teacher_BNT[o] of every view for each objective o of the request, float32 at its plan's MimickedPatches. A
  // view without a plan gets one from the source whose request draws masks, which is called before the others.
  //
  // It blocks until the answer is there or `deadline` has passed, and reconnects and retries meanwhile: a teacher that
  // is away stalls the job, and its term is never skipped. DeadlineExceeded: the answer is not there yet. The request
  // goes on, and a call with the same batch and views waits for its answer again; a call with another batch gives it
  // up.
  //
  // Waiting does not mend the other errors. FailedPrecondition: the teacher is not the job's any more (TeacherPins) or
  // no longer fits it. InvalidArgument: the batch does not have the job's size, or a view has no plan and none is
  // drawn. DataLoss: the teacher breaks its contract. After an error nothing was set.
  virtual absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) = 0;
  virtual const TeacherRequest& request() const = 0;
  virtual int width() const = 0;  // T
};

}  // namespace mimeo
