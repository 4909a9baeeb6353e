// The address of a server as people write it on command lines: HOST:PORT, [IPV6]:PORT, or unix:PATH where a Unix socket
// is allowed. Nothing here looks a name up or opens a socket. Values and pure functions; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

struct Address {
  // A name or a number. An IPv6 number stands here without its brackets. Empty for a Unix socket.
  std::string host;
  int port = 0;
  // The path of a Unix socket, without "unix:". Empty for all other addresses.
  std::string socket_path;

  // The text that ParseAddress reads back as this address. gRPC takes the same text.
  std::string ToString() const;
  // This address with another port: a server that asked for port 0 says so where it really listens.
  Address WithPort(int bound) const;
  // True for 0.0.0.0 and [::]. A server can listen there, but nobody can connect to such an address.
  bool every_interface() const;
};

// What the address is for. Only a server may name port 0: it then gets a free port, and nobody can call port 0.
enum class AddressUse { kListen, kCall, kCallOrSocket };

// `name` is the flag or the field that holds `text`, for the error; it may be empty. `text` may be any bytes.
// InvalidArgument says: NAME: "TEXT" is not HOST:PORT, then an example of an address, then what is wrong with this one.
absl::StatusOr<Address> ParseAddress(absl::string_view name, absl::string_view text, AddressUse use);

}  // namespace mimeo
