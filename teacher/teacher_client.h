// A rank's client of one teacher server: it asks over gRPC for what a job wants (TeacherRequest). It finds the server
// again when that comes back at another address, and takes no other teacher than the job's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/random_key.h"
#include "base/rpc/channel_options.h"
#include "teacher/feature_source.h"
#include "teacher/teacher_pins.h"
#include "teacher/teacher_request.h"

namespace mimeo {

// What a client works with. The callbacks are called on the thread that uses the client.
struct TeacherClientOptions {
  TeacherRequest request;
  ChannelOptions channels;
  // Gives the key with which a view's masks are drawn, where the teacher draws them.
  std::function<RandomKey(const RandomKey& row, int view)> mask_key;
  // The job's. Asked at each connection, and before features are handed out. It outlives the client.
  TeacherPins* pins = nullptr;
  std::function<std::string()> address;          // the newest known one; it may change when the teacher restarts
  std::function<void(bool waiting)> on_waiting;  // true when the teacher does not answer, false once it does
};
// Waits for the teacher until `deadline`, asks it to describe itself, and refuses one that does not fit or is not the
// job's.
//
// FailedPrecondition: `pins` refuse it, or it does not fit: it has another name, fewer blocks, no projection or no
// class token where one is wanted, other channels, or takes no such images. The message has the reason and both sides'
// needs. DeadlineExceeded: it may be tried again; on_waiting stays true until a call succeeds.
absl::StatusOr<std::unique_ptr<FeatureSource>> ConnectTeacher(const TeacherClientOptions& options, absl::Time deadline);

}  // namespace mimeo
