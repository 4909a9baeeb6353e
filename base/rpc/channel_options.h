// How a process speaks gRPC with other processes. Every channel and every server is opened with such a value
// (base/rpc/rpc.h). A binary makes it once, from its flags, and passes it down. So the code that opens a channel needs
// an address and this value, and knows nothing of credentials. A value.
#pragma once

#include "absl/time/time.h"
#include "base/limits.h"

namespace mimeo {

struct ChannelOptions {
  // The largest message in either direction. A larger one ends its call with ResourceExhausted.
  int message_bytes_max = limits::kMessageBytes;
  // When a connection has been silent for the period, the other side is asked whether it is still there. When it does
  // not answer within the timeout, the connection and its calls end with Unavailable. So a host that lost its power is
  // noticed after the sum of both.
  absl::Duration keep_alive_period = limits::kKeepAlivePeriod;
  absl::Duration keep_alive_timeout = limits::kKeepAliveTimeout;
};

}  // namespace mimeo
