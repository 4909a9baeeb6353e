#include "base/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr absl::string_view kSocket = "unix:";
constexpr int kPortMax = 65535;
constexpr size_t kSocketPathBytes = 107;  // sockaddr_un's, and its end

bool IsName(const std::string& host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
  });
}

// With a zone, such as fe80::1%eth0, or without.
bool IsIpv6(const std::string& host) {
  const size_t percent = host.find('%');
  const std::string number = host.substr(0, percent);
  in6_addr parsed;
  return number.find('\0') == std::string::npos && inet_pton(AF_INET6, number.c_str(), &parsed) == 1 &&
         (percent == std::string::npos || IsName(host.substr(percent + 1)));
}

bool ParsePort(absl::string_view text, int* port) {
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
  return digits && absl::SimpleAtoi(text, port) && *port <= kPortMax;
}

// Sets the host and the port. Returns what is wrong with `text`, or nothing.
std::string ReadHostPort(absl::string_view text, AddressUse use, Address* address) {
  if (text.size() > limits::kAddressBytes) {
    return absl::StrCat("it has ", text.size(), " bytes, more than ", limits::kAddressBytes);
  }
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return "it has no port";
  std::string host(text.substr(0, colon));
  const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (!brackets && host.find(':') != std::string::npos) return "an IPv6 address stands in brackets";
  if (brackets) host = host.substr(1, host.size() - 2);
  if (host.empty()) return "it has no host";
  if (brackets ? !IsIpv6(host) : !IsName(host)) {
    return absl::StrCat("\"", ToText(host), "\" is no ", brackets ? "IPv6 address" : "host");
  }
  const int port_min = use == AddressUse::kListen ? 0 : 1;
  if (!ParsePort(text.substr(colon + 1), &address->port) || address->port < port_min) {
    return absl::StrCat("a port is a number from ", port_min, " to ", kPortMax);
  }
  address->host = std::move(host);
  return "";
}

}  // namespace

std::string Address::ToString() const {
  if (!socket_path.empty()) return absl::StrCat(kSocket, socket_path);
  const bool brackets = host.find(':') != std::string::npos;
  return absl::StrCat(brackets ? "[" : "", host, brackets ? "]:" : ":", port);
}

Address Address::WithPort(int bound) const {
  Address address = *this;
  address.port = bound;
  return address;
}

bool Address::every_interface() const { return host == "0.0.0.0" || host == "::"; }

absl::StatusOr<Address> ParseAddress(absl::string_view name, absl::string_view text, AddressUse use) {
  Address address;
  std::string wrong;
  const bool or_socket = use == AddressUse::kCallOrSocket;
  if (or_socket && absl::StartsWith(text, kSocket)) {
    address.socket_path = std::string(absl::StripPrefix(text, kSocket));
    const size_t bytes = address.socket_path.size();
    if (bytes >= 1 && bytes <= kSocketPathBytes) return address;
    wrong = absl::StrCat("a socket's path has 1 to ", kSocketPathBytes, " bytes, not ", bytes);
  } else {
    wrong = ReadHostPort(text, use, &address);
    if (wrong.empty()) return address;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(name, name.empty() ? "" : ": ", "\"", ToText(text, limits::kShortReasonBytes), "\" is not HOST:PORT",
                   or_socket ? " or unix:PATH" : "", ", such as 10.0.0.1:7070 or [fd00::1]:7070: ", wrong));
}

}  // namespace mimeo
