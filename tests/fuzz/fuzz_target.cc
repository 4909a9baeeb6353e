#include "tests/fuzz/fuzz_target.h"

#include <algorithm>
#include <string>

#include "base/text.h"

namespace mimeo::fuzz {
namespace {

// Never destroyed: targets of other files are added before main.
std::vector<Target>* List() {
  static auto* const list = new std::vector<Target>();
  return list;
}

}  // namespace

const std::vector<Target>& Targets() { return *List(); }

bool AddTarget(absl::string_view name, TargetFunction run) {
  List()->push_back({name, run});
  return true;
}

void CheckRefusal(const absl::Status& status, std::initializer_list<absl::StatusCode> codes, size_t bytes_max) {
  MIMEO_CHECK(std::find(codes.begin(), codes.end(), status.code()) != codes.end(), "refused with ", status.ToString());
  const std::string message(status.message());
  MIMEO_CHECK(message.size() <= bytes_max, "a message of ", message.size(), " bytes: ", ToText(message));
  MIMEO_CHECK(ToLines(message, bytes_max) == message, "a message that is no text: ", ToText(message));
}

std::vector<absl::string_view> Pieces(absl::string_view bytes) {
  std::vector<absl::string_view> pieces;
  while (bytes.size() >= 2) {
    const size_t size = static_cast<unsigned char>(bytes[0]) | static_cast<unsigned char>(bytes[1]) << 8;
    bytes.remove_prefix(2);
    pieces.push_back(bytes.substr(0, size));
    bytes.remove_prefix(pieces.back().size());
  }
  return pieces;
}

}  // namespace mimeo::fuzz
