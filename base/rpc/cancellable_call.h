// A call that another thread may end: for loops that speak to a peer again and again, and are to stop at once.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace mimeo {

// Calls come from one thread at a time; Interrupt and Cancel from any.
class CancellableCall {
 public:
  // What a call does where nobody answers. It goes out as soon as a peer that was away is back, or it is Unavailable at
  // once. (Calls that fail at once, again and again, leave nobody to drive the channel's own reconnecting in between.)
  enum class WhenAway { kWait, kFail };

  // Makes `call` with a context that ends after `timeout`, and returns what it returns. Cancelled: it was ended, or
  // Cancel was called before and it was never made.
  absl::Status Run(absl::Duration timeout, WhenAway when_away,
                   const std::function<absl::Status(grpc::ClientContext*)>& call) ABSL_LOCKS_EXCLUDED(mu_);

  // Ends the call in progress, if there is one.
  void Interrupt() ABSL_LOCKS_EXCLUDED(mu_);
  // Ends the call in progress, and refuses all later ones.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Mutex mu_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mu_) = nullptr;  // of the call in progress
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace mimeo
