#include "client/history_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/limits.h"
#include "base/print.h"
#include "base/text.h"
#include "base/timestamp.h"

namespace mimeo {
namespace {

constexpr absl::string_view kFormat = "%Y-%m-%d %H:%M:%S";

}  // namespace

std::string EventLines(const EventsReply& reply, int64_t* number, absl::TimeZone zone) {
  std::string lines;
  for (const HistoryEntry& entry : reply.entries()) {
    // A line that has grown begins before what was printed of it.
    const int64_t left_out = entry.number() - entry.count() - *number;
    if (left_out > 0) {
      absl::StrAppend(&lines, "  (", Counted(left_out, "event"), left_out == 1 ? " is" : " are", " left out here)\n");
    }
    absl::StrAppend(&lines, absl::FormatTime(kFormat, TimeOf(entry.time()), zone), "  ",
                    ToText(entry.text(), limits::kShortReasonBytes), "\n");
    *number = entry.number();
  }
  return lines;
}

std::string NowLine(const EventsReply& reply) {
  if (reply.now().empty()) return "";
  return absl::StrCat("now: ", ToText(absl::StrReplaceAll(reply.now(), {{"\n", "; "}})), "\n");
}

}  // namespace mimeo
