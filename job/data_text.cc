#include "job/data_text.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/limits.h"
#include "base/text.h"

namespace mimeo {
namespace {

constexpr size_t kFrameBytes = 8;  // of a message within another one

}  // namespace

std::string PassedOverText(const PassedOver& row) {
  std::string text = absl::StrCat(ToText(row.reason(), limits::kShortReasonBytes), ": ", row.count());
  if (row.names().empty()) return text;
  const auto as_text = [](std::string* out, const std::string& name) {
    absl::StrAppend(out, ToText(name, limits::kShortReasonBytes));
  };
  // Of files of other kinds each name stands for many.
  const bool more = row.count() > row.names_size() && row.reason() != kOtherKindsReason;
  return absl::StrCat(text, " (", absl::StrJoin(row.names(), ", ", as_text), more ? ", ..." : "", ")");
}

std::string PassedOverLine(const std::string& field, const PassedOver& row) {
  return absl::StrCat(ToText(field, limits::kShortReasonBytes), " leaves out ", PassedOverText(row));
}

void CutJobData(std::vector<DataContents>* data) {
  const auto bytes = [](const DataContents& one) { return one.ByteSizeLong(); };
  const auto all = [&] {
    size_t sum = 0;
    for (const DataContents& one : *data) sum += bytes(one) + kFrameBytes;
    return sum;
  };
  while (all() > limits::kJobDataBytes) {
    DataContents& longest = *std::max_element(
        data->begin(), data->end(), [&](const DataContents& a, const DataContents& b) { return bytes(a) < bytes(b); });
    const auto named = std::find_if(longest.mutable_passed_over()->rbegin(), longest.mutable_passed_over()->rend(),
                                    [](const PassedOver& row) { return row.names_size() > 0; });
    if (named != longest.mutable_passed_over()->rend()) {
      named->mutable_names()->RemoveLast();
    } else if (longest.notes_size() > 0) {
      longest.mutable_notes()->RemoveLast();
    } else {
      longest.mutable_passed_over()->RemoveLast();
    }
  }
}

std::vector<std::string> DataLines(const DataContents& contents) {
  std::vector<std::string> lines;
  for (const PassedOver& row : contents.passed_over()) lines.push_back(PassedOverLine(contents.field(), row));
  for (const std::string& note : contents.notes()) lines.push_back(ToText(note, limits::kReasonBytes));
  return lines;
}

}  // namespace mimeo
