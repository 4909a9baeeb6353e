#include "teacher_server/registration.h"

#include <spdlog/spdlog.h>

#include <optional>

#include "base/limits.h"
#include "base/rpc/rpc.h"

namespace mimeo {

Registration::Registration(const ChannelOptions& channels, const std::string& coordinator_address,
                           const TeacherHeartbeatRequest& heartbeat, Metrics* metrics, Clock* clock)
    : coordinator_address_(coordinator_address),
      heartbeat_(heartbeat),
      metrics_(metrics),
      clock_(clock),
      coordinator_(Cluster::NewStub(OpenChannel(channels, coordinator_address))) {
  thread_ = std::thread([this] { Run(); });
}

Registration::~Registration() {
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
  }
  call_.Cancel();
  thread_.join();
}

void Registration::Run() {
  std::optional<absl::Status> last;  // logged when it changes
  while (true) {
    const absl::Time next = clock_->Now() + limits::kHeartbeatPeriod;
    const absl::Status status = Beat();
    absl::MutexLock lock(&mu_);
    if (stopped_) return;
    if (!status.ok()) metrics_->Add("mimeo_teacher_heartbeat_failures_total");
    if (absl::IsFailedPrecondition(status)) {
      refusal_ = status;
      return;
    }
    if (!last.has_value() || last->code() != status.code()) {
      if (status.ok()) {
        spdlog::info("teacher registered name={} address={} coordinator={}", heartbeat_.name(), heartbeat_.address(),
                     coordinator_address_);
      } else {
        spdlog::warn("coordinator does not take the heartbeat coordinator={} reason=\"{}\"", coordinator_address_,
                     status.ToString());
      }
      last = status;
    }
    if (clock_->Await(&mu_, absl::Condition(&stopped_), next)) return;
  }
}

absl::Status Registration::Beat() {
  TeacherHeartbeatReply reply;
  return call_.Run(limits::kRpcDeadline, CancellableCall::WhenAway::kFail, [&](grpc::ClientContext* context) {
    return FromGrpc(coordinator_->TeacherHeartbeat(context, heartbeat_, &reply));
  });
}

}  // namespace mimeo
