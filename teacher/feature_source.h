// Teacher tokens for the patches of a batch that are mimicked, and the patches themselves where the teacher chooses
// them. Blocking; the batch pipeline calls it one step ahead. One thread. Implementations: TeacherClient (gRPC stream)
// and, in tests, a fake.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/random_key.h"
#include "base/rpc/channel_options.h"
#include "data/loader.h"
#include "job/job_shape.h"
#include "model/shapes.h"
#include "objective/objective.h"

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

class TeacherPins;

struct TeacherClientOptions {
  TeacherRequest request;
  ChannelOptions channels;
  // Of the job; asked at each connection, and before features are handed out. Outlives the client.
  TeacherPins* pins = nullptr;
  std::function<std::string()> address;          // the newest known; may change when the teacher restarts
  std::function<void(bool waiting)> on_waiting;  // true when the teacher does not answer, false once it does
  ImageShape image;                              // of the student's crops
  PatchGrid grid;                                // of theirs; the teacher's own may differ
  // With request.draws_masks:
  int num_visible = 0;             // K
  bool most_attended = false;      // as FocusedMask
  bool same_in_all_views = false;  // as MaskSpec: all views have the first one's plan
  std::function<RandomKey(const RandomKey& row, int view)> mask_key;  // what a view's masks are drawn with
};
// Waits for the teacher, asks Describe and refuses one that does not fit or is not the job's.
// FailedPrecondition: `pins` refuse it; or it has another name, fewer blocks, no projection or no class token where
// that is wanted, other channels, or takes no such images; why, and both contracts, are in the message.
// DeadlineExceeded: it may be tried again; on_waiting stays true until one succeeds.
absl::StatusOr<std::unique_ptr<FeatureSource>> ConnectTeacher(const TeacherClientOptions& options, absl::Time deadline);

}  // namespace mimeo
