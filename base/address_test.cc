#include "base/address.h"

#include <string>

#include "base/limits.h"
#include "base/testing/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace mimeo {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Refusal(const std::string& text, AddressUse use = AddressUse::kCall) {
  const absl::Status status = ParseAddress("--server", text, use).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(status.message());
}

TEST(AddressTest, NamesAndNumbersWithAPort) {
  for (const std::string text : {"127.0.0.1:7070", "gpu-7.cluster_a.example:1", "localhost:65535", "[::1]:7070",
                                 "[fe80::1%eth0]:7070", "[fd00::1]:80"}) {
    ASSERT_OK_AND_ASSIGN(const Address address, ParseAddress("--server", text, AddressUse::kCall));
    EXPECT_EQ(address.ToString(), text);
    EXPECT_EQ(address.socket_path, "");
  }
  ASSERT_OK_AND_ASSIGN(const Address six, ParseAddress("--server", "[fd00::1]:80", AddressUse::kCall));
  EXPECT_EQ(six.host, "fd00::1");
  EXPECT_EQ(six.port, 80);
  EXPECT_EQ(six.WithPort(81).ToString(), "[fd00::1]:81");
}

TEST(AddressTest, TheErrorSaysWhatWasGivenWhyAndWhatWouldBeRight) {
  EXPECT_EQ(Refusal("gpu7"),
            "--server: \"gpu7\" is not HOST:PORT, such as 10.0.0.1:7070 or [fd00::1]:7070: it has no port");
  EXPECT_THAT(std::string(ParseAddress("", "gpu7", AddressUse::kCall).status().message()),
              StartsWith("\"gpu7\" is not"));
  EXPECT_THAT(Refusal(""), HasSubstr("it has no port"));
  EXPECT_THAT(Refusal(":7070"), HasSubstr("it has no host"));
  EXPECT_THAT(Refusal("[]:7070"), HasSubstr("it has no host"));
  EXPECT_THAT(Refusal("fd00::1:7070"), HasSubstr("an IPv6 address stands in brackets"));
  EXPECT_THAT(Refusal("[10.0.0.1]:7070"), HasSubstr("\"10.0.0.1\" is no IPv6 address"));
  EXPECT_THAT(Refusal("a b:7070"), HasSubstr("\"a b\" is no host"));
  EXPECT_THAT(Refusal("http://gpu7:7070"), HasSubstr("stands in brackets"));
  EXPECT_THAT(Refusal("caf\xe9\x1b:7070"), StartsWith("--server: \"caf\\xe9\\x1b:7070\""));
  EXPECT_THAT(Refusal(std::string(limits::kAddressBytes, 'a') + ":1"), HasSubstr("it has 258 bytes, more than 256"));
}

TEST(AddressTest, PortsAreDecimalAndZeroIsForListenersAlone) {
  for (const std::string port : {"", "65536", "-1", "+1", " 1", "1 ", "0x10", "99999999999999999999", "http"}) {
    EXPECT_THAT(Refusal("gpu7:" + port), HasSubstr("a port is a number from 1 to 65535"));
    EXPECT_THAT(Refusal("gpu7:" + port, AddressUse::kListen), HasSubstr("a port is a number from 0 to 65535"));
  }
  EXPECT_THAT(Refusal("gpu7:0"), HasSubstr("a port is a number from 1 to 65535"));
  EXPECT_OK(ParseAddress("--listen", "gpu7:0", AddressUse::kListen));
}

TEST(AddressTest, AUnixSocketOnlyWhereItIsAllowed) {
  EXPECT_THAT(Refusal("unix:/run/agent"), HasSubstr("is not HOST:PORT, such"));
  ASSERT_OK_AND_ASSIGN(const Address socket, ParseAddress("--agent", "unix:/run/a:1", AddressUse::kCallOrSocket));
  EXPECT_EQ(socket.socket_path, "/run/a:1");
  EXPECT_EQ(socket.ToString(), "unix:/run/a:1");
  EXPECT_OK(ParseAddress("--agent", "unix:" + std::string(107, 'p'), AddressUse::kCallOrSocket));
  for (const std::string& path : {std::string(), std::string(108, 'p')}) {
    EXPECT_THAT(std::string(ParseAddress("--agent", "unix:" + path, AddressUse::kCallOrSocket).status().message()),
                HasSubstr("a socket's path has 1 to 107 bytes, not " + std::to_string(path.size())));
  }
  EXPECT_OK(ParseAddress("--agent", "gpu7:1", AddressUse::kCallOrSocket));
  EXPECT_THAT(Refusal("gpu7", AddressUse::kCallOrSocket), HasSubstr("is not HOST:PORT or unix:PATH, such"));
}

TEST(AddressTest, EveryInterfaceIsNowhereToConnectTo) {
  for (const std::string text : {"0.0.0.0:1", "[::]:1"}) {
    EXPECT_TRUE(ParseAddress("--listen", text, AddressUse::kListen)->every_interface()) << text;
  }
  EXPECT_FALSE(ParseAddress("--listen", "[::1]:1", AddressUse::kListen)->every_interface());
}

}  // namespace
}  // namespace mimeo
