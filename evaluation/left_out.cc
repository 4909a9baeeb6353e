#include "evaluation/left_out.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "data/sample_name.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

constexpr size_t kLeftOutNamed = 20;

}  // namespace

bool IsBadImage(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsDataLoss(status) || absl::IsAborted(status);
}

void LogLeftOut(const Dataset& dataset, const std::vector<LeftOut>& left_out) {
  for (size_t i = 0; i < std::min(left_out.size(), kLeftOutNamed); ++i) {
    spdlog::warn("image {} is left out: {}", ToText(dataset.name(left_out[i].sample)), ToText(left_out[i].reason));
  }
  if (left_out.size() > kLeftOutNamed) spdlog::warn("and {} more images are left out", left_out.size() - kLeftOutNamed);
}

PassedOver Undecodable(const Dataset& dataset, const std::vector<LeftOut>& left_out) {
  PassedOver row;
  row.set_reason("images that cannot be decoded");
  row.set_count(static_cast<int64_t>(left_out.size()));
  for (size_t i = 0; i < std::min(left_out.size(), kLeftOutNamed); ++i) {
    row.add_names(absl::StrCat(ShortName(dataset.name(left_out[i].sample)), ": ", ToText(left_out[i].reason)));
  }
  return row;
}

absl::Status NoneDecodes(const Dataset& dataset, const std::vector<LeftOut>& left_out) {
  const std::string none = absl::StrCat("none of its ", left_out.size(), " images can be decoded");
  if (left_out.empty()) return absl::InvalidArgumentError(none);
  const LeftOut& first = left_out.front();
  return absl::InvalidArgumentError(
      absl::StrCat(none, "; the first: ", ToText(dataset.name(first.sample)), ": ", ToText(first.reason)));
}

}  // namespace mimeo
