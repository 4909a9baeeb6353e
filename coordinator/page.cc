#include "coordinator/page.h"

#include "absl/strings/str_cat.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

// An item's key in a message beside its bytes, and the token.
constexpr int64_t kItemBytes = 16;

// The seal keeps a token from being taken for another list's, or a typed word for a token.
std::string Token(absl::string_view list, absl::string_view last) {
  return absl::StrCat(last, ":", Sha256Hex(absl::StrCat(list, "\n", last)).substr(0, 8));
}

}  // namespace

absl::StatusOr<Page> Page::Open(absl::string_view list, int page_size, const std::string& page_token) {
  const int items_max = page_size <= 0 || page_size > limits::kPageItems ? limits::kPageItems : page_size;
  if (page_token.empty()) return Page(list, items_max, "");
  std::string after = page_token.substr(0, page_token.rfind(':'));
  if (Token(list, after) == page_token) return Page(list, items_max, std::move(after));
  return absl::InvalidArgumentError(absl::StrCat("page_token: \"", ToText(page_token, 2 * limits::kNameBytes),
                                                 "\" is none that a list of ", list,
                                                 " gave; leave it out for the first page"));
}

bool Page::Takes(absl::string_view item, int64_t bytes) {
  more_ = items_ > 0 && (items_ == items_max_ || bytes_ + bytes + kItemBytes > limits::kPageBytes);
  if (more_) return false;
  ++items_;
  bytes_ += bytes + kItemBytes;
  last_ = std::string(item);
  return true;
}

std::string Page::next_page_token() const { return more_ ? Token(list_, last_) : ""; }

}  // namespace mimeo
