#include "data/passed_over.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "base/text.h"
#include "data/sample_name.h"
#include "job/data_text.h"

namespace mimeo {
namespace {

constexpr size_t kNamed = 3;       // of each reason
constexpr size_t kKindsNamed = 8;  // the most frequent ones
constexpr size_t kKinds = 1000;    // counted apart: names such as frame.000001 would else fill the memory
constexpr size_t kKindBytes = 16;  // a longer extension is none
constexpr char kNoExtension[] = "without extension";
constexpr char kMoreKinds[] = "of further kinds";

}  // namespace

void PassedOverTally::AddName(std::string name, Reason* reason) {
  std::vector<std::string>& names = reason->names;
  if (names.size() == kNamed && name >= names.back()) return;
  names.insert(std::upper_bound(names.begin(), names.end(), name), std::move(name));
  if (names.size() > kNamed) names.pop_back();
}

void PassedOverTally::Add(absl::string_view reason, absl::string_view name) {
  auto found = reasons_.find(reason);
  if (found == reasons_.end()) found = reasons_.emplace(std::string(reason), Reason()).first;
  ++found->second.count;
  AddName(absl::StrCat(within_, name), &found->second);
}

void PassedOverTally::AddOtherKind(absl::string_view name) {
  const absl::string_view base = name.substr(name.rfind('/') + 1);
  const size_t dot = base.rfind('.');
  const bool has = dot != absl::string_view::npos && dot + 1 < base.size() && base.size() - dot <= kKindBytes;
  const std::string kind = has ? absl::AsciiStrToLower(base.substr(dot)) : kNoExtension;
  ++kinds_[kinds_.size() < kKinds || kinds_.count(kind) > 0 ? kind : kMoreKinds];
}

void PassedOverTally::Merge(const PassedOverTally& other) {
  for (const auto& [reason, more] : other.reasons_) {
    Reason& own = reasons_[reason];
    own.count += more.count;
    for (const std::string& name : more.names) AddName(name, &own);
  }
  for (const auto& [kind, count] : other.kinds_) {
    kinds_[kinds_.size() < kKinds || kinds_.count(kind) > 0 ? kind : kMoreKinds] += count;
  }
}

std::vector<PassedOver> PassedOverTally::Rows() const {
  std::vector<PassedOver> rows;
  for (const auto& [reason, found] : reasons_) {
    PassedOver& row = rows.emplace_back();
    row.set_reason(ToText(reason));
    row.set_count(found.count);
    for (const std::string& name : found.names) row.add_names(ShortName(name));
  }
  if (kinds_.empty()) return rows;
  std::vector<std::pair<int64_t, std::string>> kinds;
  PassedOver& row = rows.emplace_back();
  row.set_reason(kOtherKindsReason);
  for (const auto& [kind, count] : kinds_) {
    kinds.emplace_back(-count, kind);
    row.set_count(row.count() + count);
  }
  std::sort(kinds.begin(), kinds.end());
  for (size_t i = 0; i < std::min(kinds.size(), kKindsNamed); ++i) {
    row.add_names(absl::StrCat(ShortName(kinds[i].second), " ", -kinds[i].first));
  }
  std::sort(rows.begin(), rows.end(), [](const PassedOver& a, const PassedOver& b) { return a.reason() < b.reason(); });
  return rows;
}

std::string PassedOverTally::Text() const {
  return absl::StrJoin(Rows(), ", ",
                       [](std::string* out, const PassedOver& row) { absl::StrAppend(out, PassedOverText(row)); });
}

bool IsHiddenName(absl::string_view base) {
  return (absl::StartsWith(base, ".") && base != "." && base != "..") || base == "@eaDir";
}

bool IsHiddenPath(absl::string_view path) {
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (IsHiddenName(part)) return true;
  }
  return false;
}

}  // namespace mimeo
