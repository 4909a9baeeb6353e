// HOST:PORT as people and their scripts write it, and as a teacher registers it. What is accepted reads back as the
// same address.
#include <string>

#include "base/address.h"
#include "base/text.h"
#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(address) {
  for (const AddressUse use : {AddressUse::kListen, AddressUse::kCall, AddressUse::kCallOrSocket}) {
    const absl::StatusOr<Address> address = ParseAddress("--listen", bytes, use);
    if (!address.ok()) {
      CheckRefusal(address.status(), {absl::StatusCode::kInvalidArgument}, 2048);
      continue;
    }
    const std::string text = address->ToString();
    MIMEO_CHECK(!address->socket_path.empty() || ToText(text) == text, "not text: ", ToText(text));
    const absl::StatusOr<Address> again = ParseAddress("", text, use);
    MIMEO_CHECK(again.ok(), text, " was accepted: ", again.status().ToString());
    MIMEO_CHECK(again->host == address->host && again->port == address->port, text);
    MIMEO_CHECK(again->socket_path == address->socket_path, text);
  }
}

}  // namespace mimeo::fuzz
