// gRPC as we use it: statuses, servers with health and reflection, channels with limits. The only base target with
// gRPC.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace mimeo {

// Both make text of the message (base/text.h), of at most limits::kReasonBytes.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

// Sets the call's deadline to now + `timeout`.
void SetDeadline(grpc::ClientContext* context, absl::Duration timeout);

// Plaintext, message limits of base/limits.h, keep-alive, reconnect backoff at most 2 s.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address);

class RpcServer {
 public:
  // Binds `address` ("127.0.0.1:0", "unix:/path"); health and reflection are on. Services must outlive the server.
  // Unavailable: the address cannot be bound (says which).
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(const std::string& address,
                                                          const std::vector<grpc::Service*>& services);
  ~RpcServer();  // Shutdown with a 2 s grace
  int port() const { return port_; }
  void Shutdown(absl::Duration grace);

 private:
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

}  // namespace mimeo
