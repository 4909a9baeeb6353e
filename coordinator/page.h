// Lists in pages, as proto/coordinator.proto says. A token names the last item of the page before, so that what comes
// and goes in between neither repeats an item nor hides one, and it outlives a restart of the coordinator. Values;
// pure.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace mimeo {

class Page {
 public:
  // Of the list of this name. InvalidArgument: a token that no reply to this list gave.
  static absl::StatusOr<Page> Open(absl::string_view list, int page_size, const std::string& page_token);

  // The last item of the page before; empty: this is the first page.
  const std::string& after() const { return after_; }
  // Whether the next item, of so many bytes, is on this page. After false there is a next page. The first item always
  // is, or the list would never end.
  bool Takes(absl::string_view item, int64_t bytes);
  // For the reply; empty: there is no more.
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
