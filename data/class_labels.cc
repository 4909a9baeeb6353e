#include "data/class_labels.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "data/folder_listing.h"
#include "nlohmann/json.hpp"

namespace mimeo {
namespace {

constexpr int kNumberedClasses = 100000;

// What a label member says.
struct Label {
  std::string text;               // empty: no label
  const char* problem = nullptr;  // null: none. Else why it says nothing, in the plural.
};

Label JsonLabel(const std::string& contents) {
  const auto json = nlohmann::json::parse(contents, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return {"", "labels in members that are not JSON"};
  if (!json.is_object()) return {};
  for (const char* field : {"label", "cls"}) {
    const auto found = json.find(field);
    if (found == json.end() || found->is_null()) continue;
    if (found->is_number_integer()) return {found->dump(), nullptr};
    if (!found->is_string()) return {"", "labels that are neither a text nor a whole number"};
    return {std::string(absl::StripAsciiWhitespace(found->get<std::string>())), nullptr};
  }
  return {};
}

Label ClsLabel(absl::string_view contents) {
  absl::ConsumePrefix(&contents, "\xef\xbb\xbf");  // the mark of UTF-8 that some editors write
  if (absl::StrContains(contents, '\0')) return {"", "labels that are no text"};
  const absl::string_view text = absl::StripAsciiWhitespace(contents);
  if (text.empty()) return {"", "labels that are empty"};
  return {std::string(text), nullptr};
}

bool IsCls(absl::string_view member) { return absl::EndsWithIgnoreCase(member, ".cls"); }

absl::string_view WithoutEnding(absl::string_view member) { return member.substr(0, member.rfind('.')); }

Label LabelOf(const TarMember& member) {
  if (member.size > kLabelBytes) return {"", "labels in members of more than 64 KiB"};
  return IsCls(member.name) ? ClsLabel(member.contents) : JsonLabel(member.contents);
}

// The labels of a tar, by path without ending.
class Labels {
 public:
  Labels(const std::vector<TarMember>& members, PassedOverTally* passed_over) {
    std::set<std::string> contradicted;
    for (const bool cls : {true, false}) {
      for (const TarMember& member : members) {
        if (!IsLabelName(member.name) || IsCls(member.name) != cls) continue;
        Label label = LabelOf(member);
        if (label.problem != nullptr) passed_over->Add(label.problem, member.name);
        if (label.problem == nullptr && label.text.empty()) continue;  // a .json of other things
        const std::string path(WithoutEnding(member.name));
        Said& said = said_[path];
        if (said.text.empty()) said.cls = cls;
        if (said.text.empty()) said.text = label.text;
        if (said.cls != cls || label.text.empty() || said.text == label.text) continue;
        passed_over->Add("labels that contradict each other", member.name);
        contradicted.insert(path);
      }
    }
    for (const std::string& path : contradicted) said_[path].text.clear();
    for (const auto& [path, said] : said_) by_key_[std::string(SampleKey(path))].push_back(path);
  }

  // The text for an image whose path, without its ending, is `path`. `images` are all of these.
  std::string For(const std::string& path, const std::set<std::string>& images, bool* guess) const {
    *guess = false;
    const auto own = said_.find(path);
    if (own != said_.end()) return own->second.text;
    const std::string key(SampleKey(path));
    const auto others = by_key_.find(key);
    if (others == by_key_.end()) return "";
    const std::string& first = others->second.front();
    *guess = others->second.size() > 1 || (first != key && images.count(first) > 0);
    return *guess ? "" : said_.at(first).text;
  }

 private:
  struct Said {
    std::string text;  // empty: nothing that can be used
    bool cls = false;
  };
  std::map<std::string, Said> said_;
  std::map<std::string, std::vector<std::string>> by_key_;  // paths in said_
};

bool IsClassNumber(const std::string& text, int* number) {
  return absl::SimpleAtoi(text, number) && *number >= 0 && *number < kNumberedClasses && absl::StrCat(*number) == text;
}

}  // namespace

absl::string_view SampleKey(absl::string_view member) {
  const size_t slash = member.rfind('/');
  const size_t base = slash == absl::string_view::npos ? 0 : slash + 1;
  return member.substr(0, member.find('.', base));
}

std::vector<std::string> ReadLabelTexts(const std::vector<TarMember>& members, PassedOverTally* passed_over) {
  const Labels labels(members, passed_over);
  std::set<std::string> images, keys;
  for (const TarMember& member : members) {
    if (!IsImageName(member.name)) continue;
    images.emplace(WithoutEnding(member.name));
    keys.emplace(SampleKey(member.name));
  }
  std::vector<std::string> texts(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string& name = members[i].name;
    if (IsImageName(name)) {
      bool guess = false;
      texts[i] = labels.For(std::string(WithoutEnding(name)), images, &guess);
      if (guess) passed_over->Add("labels of images for which several members stand, none of them their own", name);
    } else if (IsLabelName(name) && keys.count(std::string(SampleKey(name))) == 0) {
      passed_over->Add("labels without an image", name);
    }
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
