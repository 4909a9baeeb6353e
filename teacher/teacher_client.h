// A rank's client of one teacher server: what a job wants of it (TeacherRequest), asked over gRPC. It finds the server
// again when that comes back elsewhere, and takes no other teacher than the job's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/random_key.h"
#include "teacher/feature_source.h"
#include "teacher/teacher_pins.h"
#include "teacher/teacher_request.h"

namespace mimeo {

struct TeacherClientOptions {
  TeacherRequest request;
  // What a view's masks are drawn with, where the teacher draws them.
  std::function<RandomKey(const RandomKey& row, int view)> mask_key;
  // Of the job; asked at each connection, and before features are handed out. Outlives the client.
  TeacherPins* pins = nullptr;
  std::function<std::string()> address;          // the newest known; may change when the teacher restarts
  std::function<void(bool waiting)> on_waiting;  // true when the teacher does not answer, false once it does
};
// Waits for the teacher, asks Describe and refuses one that does not fit or is not the job's.
// FailedPrecondition: `pins` refuse it; or it has another name, fewer blocks, no projection or no class token where
// that is wanted, other channels, or takes no such images; why, and both contracts, are in the message.
// DeadlineExceeded: it may be tried again; on_waiting stays true until one succeeds.
absl::StatusOr<std::unique_ptr<FeatureSource>> ConnectTeacher(const TeacherClientOptions& options, absl::Time deadline);

}  // namespace mimeo
