// Tells the coordinator once a second that this teacher is here, for as long as it lives. A coordinator that is away is
// tried again; one that refuses this build is not. Any thread may call it. Its thread ends in the destructor.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics_server.h"
#include "base/rpc/cancellable_call.h"
#include "base/rpc/channel_options.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {

// Because it says the same every second, a coordinator that was replaced or has forgotten everything knows the teacher
// again after a second, and a teacher that is silent is taken for one that is away.
//
// The process makes it once the server listens, since ranks connect to the heartbeat's address as soon as they hear it.
class Registration {
 public:
  // Starts the thread. `metrics` and `clock` outlive this.
  Registration(const ChannelOptions& channels, const std::string& coordinator_address,
               const TeacherHeartbeatRequest& heartbeat, Metrics* metrics, Clock* clock);
  // Ends the call in progress and joins the thread. The coordinator is not told: it notices the silence.
  ~Registration();

  // FailedPrecondition, in the coordinator's words: this build and the coordinator's do not speak the same protocol
  // version. Then no further heartbeat is sent, and the process should end.
  absl::Status refusal() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return refusal_;
  }

 private:
  // The thread: a heartbeat each limits::kHeartbeatPeriod, logged only when its outcome changes.
  void Run();
  absl::Status Beat();

  const std::string coordinator_address_;
  const TeacherHeartbeatRequest heartbeat_;
  Metrics* const metrics_;
  Clock* const clock_;
  const std::unique_ptr<Cluster::Stub> coordinator_;
  // The call in progress, which the destructor cancels from another thread.
  CancellableCall call_;

  mutable absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status refusal_ ABSL_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace mimeo
