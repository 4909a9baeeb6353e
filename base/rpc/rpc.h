// How this system uses gRPC: statuses, channels with limits, and servers with limits, the health service and
// reflection. This is the only place that opens a channel or a server, so that TLS has one place too; tests/tidy checks
// it. Functions are thread-safe; a server object is used by one thread.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/rpc/channel_options.h"

namespace mimeo {

// The same code and message in the other library's type. Both make text of the message (base/text.h), of at most
// limits::kReasonBytes: a longer one would not fit into a call's metadata.
//
// FromGrpc makes Unavailable of Cancelled: a server that is being stopped ends its calls so, and to call again helps.
// In this code Cancelled means that this process was told to stop. Who ends a call of its own knows it, and says so
// itself.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// Gives the call a deadline `timeout` from now. It counts by gRPC's monotonic clock, so a clock that is set ends no
// call. Every call needs a deadline: without one it waits for ever on a peer that hangs.
void SetDeadline(grpc::ClientContext* context, absl::Duration timeout);

// A channel to `address`, such as "10.0.0.1:7070" or "unix:/path", without encryption. It opens no connection yet and
// so never fails: the first call connects. A connection that is lost is opened again, after at most
// limits::kReconnectBackoff. A proxy that the environment names is not used.
std::shared_ptr<grpc::Channel> OpenChannel(const ChannelOptions& options, const std::string& address);

class RpcServer {
 public:
  // Listens at `address`, such as "127.0.0.1:0" or "unix:/path", without encryption. The services' methods are called
  // on gRPC's threads, several at one time, from now on and until Shutdown has returned; the services must live so
  // long. Unavailable: the address is taken, or is none of this machine's; the error names it.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const ChannelOptions& options, const std::string& address,
                                                          const std::vector<grpc::Service*>& services);
  // Shutdown with limits::kShutdownGrace.
  ~RpcServer();
  // The port that was bound. It has no meaning for a Unix socket.
  int port() const { return port_; }
  // Accepts no new calls. Those in progress may end by themselves within `grace`; then they are cancelled. Returns when
  // all methods have returned, so a method must end soon after its call was cancelled.
  void Shutdown(absl::Duration grace);

 private:
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace mimeo
