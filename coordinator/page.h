// Lists that are sent in pages, as proto/coordinator.proto describes. The token of the next page names the last item of
// the page before. So an item that comes or goes between two pages makes no other item appear twice or not at all, and
// a token stays valid when the coordinator starts anew. Value types; pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

class Page {
 public:
  // The page of the list of this name that the token asks for; an empty token asks for the first. A `page_size` that is
  // not positive or too large becomes limits::kPageItems. InvalidArgument: no reply to this list gave such a token.
  static absl::StatusOr<Page> Open(absl::string_view list, int page_size, const std::string& page_token);

  // The last item of the page before. Empty when this is the first page.
  const std::string& after() const { return after_; }
  // Says whether the next item, which has so many bytes, still fits on this page. Once it returned false, there is a
  // next page. The first item always fits, because a list with an empty page would never end.
  bool Takes(absl::string_view item, int64_t bytes);
  // The token for the reply. Empty when there are no more items.
  std::string next_page_token() const;

 private:
  Page(absl::string_view list, int items_max, std::string after)
      : list_(list), items_max_(items_max), after_(std::move(after)) {}

  std::string list_;
  int items_max_;
  std::string after_;
  std::string last_;
  int items_ = 0;
  int64_t bytes_ = 0;
  bool more_ = false;
};

}  // namespace mimeo
