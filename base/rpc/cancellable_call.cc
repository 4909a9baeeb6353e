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
    ended_here_ = false;
  }
  const absl::Status status = call(&context);
  absl::MutexLock lock(&mu_);
  context_ = nullptr;
  if (ended_here_ && !status.ok()) return absl::CancelledError("this side ended the call");
  return status;
}

void CancellableCall::Interrupt() {
  absl::MutexLock lock(&mu_);
  EndCall();
}

void CancellableCall::Cancel() {
  absl::MutexLock lock(&mu_);
  cancelled_ = true;
  EndCall();
}

void CancellableCall::EndCall() {
  if (context_ == nullptr) return;
  ended_here_ = true;
  context_->TryCancel();
}

}  // namespace mimeo
