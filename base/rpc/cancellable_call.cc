#include "base/rpc/cancellable_call.h"

#include "base/rpc/rpc.h"

namespace mimeo {

absl::Status CancellableCall::Run(absl::Duration timeout, WhenAway when_away,
                                  const std::function<absl::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  SetDeadline(&context, timeout);
  context.set_wait_for_ready(when_away == WhenAway::kWait);
  {
    absl::MutexLock lock(&mu_);
    if (cancelled_) return absl::CancelledError("no call is made any more: this side stops");
    context_ = &context;
  }
  const absl::Status status = call(&context);
  absl::MutexLock lock(&mu_);
  context_ = nullptr;
  return status;
}

void CancellableCall::Interrupt() {
  absl::MutexLock lock(&mu_);
  if (context_ != nullptr) context_->TryCancel();
}

void CancellableCall::Cancel() {
  absl::MutexLock lock(&mu_);
  cancelled_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

}  // namespace mimeo
