// Turns the texts of labels into numbers of classes. Nothing here reads a file or holds a lock: any thread may call it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tar_index.h"

namespace mimeo {

// The key by which WebDataset joins the members of one sample: the member's path up to the first dot in its last part.
// "a/b.c.jpg" and "a/b.cls" have the key "a/b".
absl::string_view SampleKey(absl::string_view member);

// Label texts by SampleKey. A .cls member gives its text without spaces at the ends. A .json member gives its field
// "label" or, where it has none, "cls", which may be a string or an integer. Members without a label are left out.
using LabelTexts = std::map<std::string, std::string>;
// `path` is the tar's own, for the message. InvalidArgument: a .json member is not JSON; the message names it.
absl::StatusOr<LabelTexts> ReadLabelTexts(const std::string& path, const std::vector<TarMember>& members);

// The classes of a data set. Where every label is a number from 0 to 99,999, class i is the number i, even if no sample
// has it, so that two splits of a data set agree although one of them lacks a class. Otherwise the classes are the
// distinct texts in byte order.
class ClassIndex {
 public:
  // One text per sample. An empty text stands for a sample without a label.
  explicit ClassIndex(const std::vector<std::string>& texts);
  // Returns -1 for an empty text, and for one that the constructor was not given.
  int IndexOf(const std::string& text) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::map<std::string, int> index_;
};

}  // namespace mimeo
