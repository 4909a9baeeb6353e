// Labels of samples: from their texts to indices of classes. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tar_index.h"

namespace mimeo {

// WebDataset's key of a member: its path up to the first dot of its last part.
absl::string_view SampleKey(absl::string_view member);

// Label text by key, from the .cls members (the text) and the .json members ("label" or "cls": a string or an integer).
// Members without a label are left out. InvalidArgument: a .json that does not parse (names it).
using LabelTexts = std::map<std::string, std::string>;
absl::StatusOr<LabelTexts> ReadLabelTexts(const std::string& path, const std::vector<TarMember>& members);

// The classes of a data set. Where every label is a number below 100,000, class i is number i, so that two splits agree
// though one lacks a class; else classes are the distinct texts in byte order.
class ClassIndex {
 public:
  // One text per sample; empty: none.
  explicit ClassIndex(const std::vector<std::string>& texts);
  int IndexOf(const std::string& text) const;  // -1 for an empty text
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::map<std::string, int> index_;
};

}  // namespace mimeo
