#include "data/class_labels.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "data/sample_name.h"
#include "nlohmann/json.hpp"

namespace mimeo {
namespace {

constexpr int kNumberedClasses = 100000;

// The label of a .json member; empty: it has none.
std::string JsonLabel(const nlohmann::json& json) {
  if (!json.is_object()) return "";
  for (const char* field : {"label", "cls"}) {
    const auto found = json.find(field);
    if (found == json.end()) continue;
    if (found->is_string()) return found->get<std::string>();
    if (found->is_number_integer()) return absl::StrCat(found->get<int64_t>());
  }
  return "";
}

bool IsClassNumber(const std::string& text, int* number) {
  return absl::SimpleAtoi(text, number) && *number >= 0 && *number < kNumberedClasses && absl::StrCat(*number) == text;
}

}  // namespace

absl::string_view SampleKey(absl::string_view member) {
  const size_t slash = member.rfind('/');
  const size_t base = slash == absl::string_view::npos ? 0 : slash + 1;
  return member.substr(0, member.find('.', base));
}

absl::StatusOr<LabelTexts> ReadLabelTexts(const std::string& path, const std::vector<TarMember>& members) {
  LabelTexts texts;
  for (const TarMember& member : members) {
    std::string text;
    if (absl::EndsWith(member.name, ".cls")) {
      text = std::string(absl::StripAsciiWhitespace(member.contents));
    } else if (absl::EndsWith(member.name, ".json")) {
      const auto json = nlohmann::json::parse(member.contents, nullptr, /*allow_exceptions=*/false);
      if (json.is_discarded()) {
        return absl::InvalidArgumentError(
            absl::StrCat(ShortName(path), ": member \"", ShortName(member.name), "\" is not JSON"));
      }
      text = JsonLabel(json);
    }
    if (!text.empty()) texts.emplace(std::string(SampleKey(member.name)), text);
  }
  return texts;
}

ClassIndex::ClassIndex(const std::vector<std::string>& texts) {
  std::set<std::string> distinct(texts.begin(), texts.end());
  distinct.erase("");
  int largest = -1;
  int number = 0;
  const bool numbered = std::all_of(distinct.begin(), distinct.end(), [&](const std::string& text) {
    if (!IsClassNumber(text, &number)) return false;
    largest = std::max(largest, number);
    return true;
  });
  if (numbered) {
    for (int i = 0; i <= largest; ++i) names_.push_back(absl::StrCat(i));
  } else {
    names_.assign(distinct.begin(), distinct.end());
  }
  for (size_t i = 0; i < names_.size(); ++i) index_[names_[i]] = static_cast<int>(i);
}

int ClassIndex::IndexOf(const std::string& text) const {
  const auto found = index_.find(text);
  return found == index_.end() ? -1 : found->second;
}

}  // namespace mimeo
