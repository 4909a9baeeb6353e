// gRPC as we use it: statuses, servers with health and reflection, channels with limits. Nobody else opens a channel or
// a server (tests/tidy). Functions are thread-safe; a server is of one thread.
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

// Both make text of the message (base/text.h), of at most limits::kReasonBytes.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// Sets the call's deadline to now + `timeout`.
void SetDeadline(grpc::ClientContext* context, absl::Duration timeout);

// A channel to `address` ("10.0.0.1:7070", "unix:/path"), plaintext. It connects with the first call, and again
// whenever the connection is lost, after at most limits::kReconnectBackoff.
std::shared_ptr<grpc::Channel> OpenChannel(const ChannelOptions& options, const std::string& address);

class RpcServer {
 public:
  // Binds `address` ("127.0.0.1:0", "unix:/path"), plaintext; health and reflection are on. Services must outlive the
  // server. Unavailable: the address cannot be bound (says which).
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const ChannelOptions& options, const std::string& address,
                                                          const std::vector<grpc::Service*>& services);
  ~RpcServer();  // Shutdown with a 2 s grace
  int port() const { return port_; }
  void Shutdown(absl::Duration grace);

 private:
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace mimeo
