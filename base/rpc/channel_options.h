// How this process speaks gRPC with the others: every channel and every server is opened through one such value
// (base/rpc/rpc.h). A binary makes it once, from its flags, and passes it down; whoever opens a channel knows an
// address and this, and nothing of credentials. A value.
#pragma once

#include "absl/time/time.h"
#include "base/limits.h"

namespace mimeo {

struct ChannelOptions {
  int message_bytes_max = limits::kMessageBytes;  // of one message, in either direction
  // After so much silence the other side is asked whether it is there; the connection ends when it does not answer
  // within the timeout.
  absl::Duration keep_alive_period = limits::kKeepAlivePeriod;
  absl::Duration keep_alive_timeout = limits::kKeepAliveTimeout;
};

}  // namespace mimeo
