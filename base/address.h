// Where somebody listens, as people write it on command lines: HOST:PORT, [IPV6]:PORT, or unix:PATH where a Unix socket
// will do. Values and pure functions; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

struct Address {
  std::string host;  // a name or a number; an IPv6 one is here without its brackets
  int port = 0;
  std::string socket_path;  // of a Unix socket; then there is no host

  std::string ToString() const;  // as it was parsed, and as gRPC takes it
  // The same place with the port that was bound where any free one (0) was asked for.
  Address WithPort(int bound) const;
  bool every_interface() const;  // 0.0.0.0 or [::]: good for listening, nowhere to connect to
};

// What for: a server may bind port 0, which takes a free one, and nobody can call there.
enum class AddressUse { kListen, kCall, kCallOrSocket };

// `name` of the flag that says it; may be empty. InvalidArgument: NAME: "TEXT" is not HOST:PORT, what would be, and
// why.
absl::StatusOr<Address> ParseAddress(absl::string_view name, absl::string_view text, AddressUse use);

}  // namespace mimeo
