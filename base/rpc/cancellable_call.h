// A call to a peer that another thread can end. For a thread that makes one call after another in a loop, such as a
// heartbeat, and that must stop at once when its process is told to stop.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mimeo {

// Run is called by one thread at a time, Interrupt and Cancel by any thread, also under a lock: they do not block. The
// object must outlive all calls.
class CancellableCall {
 public:
  // What a call does when the peer cannot be reached. kWait: it waits, within its timeout, and goes out as soon as the
  // peer is back. kFail: it returns Unavailable at once. A loop of calls that fail at once may not notice soon that the
  // peer is back, because gRPC tries to reconnect only while somebody uses the channel.
  enum class WhenAway { kWait, kFail };

  // Calls `call` with a context whose deadline is `timeout` from now, blocks until it returns, and returns its status.
  // Cancelled: Interrupt or Cancel ended it, or Cancel was called before, and then `call` was never called.
  absl::Status Run(absl::Duration timeout, WhenAway when_away,
                   const std::function<absl::Status(grpc::ClientContext*)>& call) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the call in progress, if there is one. Later calls are made as before.
  void Interrupt() ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the call in progress, and refuses all later ones, for good.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void EndCall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Mutex mu_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mu_) = nullptr;  // of the call in progress
  bool ended_here_ ABSL_GUARDED_BY(mu_) = false;                 // that call, by Interrupt or Cancel
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mimeo
