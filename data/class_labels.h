// Labels of samples, as WebDataset's tars hold them: each label is a text, and becomes the index of a class. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/tar_index.h"

namespace mimeo {

// The key that the members of one sample share, in WebDataset's sense: the path up to the first dot of its last part.
// For "a/b.c/x.seg.png" it is "a/b.c/x".
absl::string_view SampleKey(absl::string_view member);

// The text of each label by its key. A .cls member is the text itself. A .json member has it in its field "label" or
// "cls", as a string or a whole number. A key without a label is left out. `path` is the name of the tar, for the
// error. InvalidArgument: a .json member is no JSON; the error names it.
using LabelTexts = std::map<std::string, std::string>;
absl::StatusOr<LabelTexts> ReadLabelTexts(const std::string& path, const std::vector<TarMember>& members);

// The classes of a data set. Where every label is a number below 100,000, the number is the index of the class. So two
// splits of a data set agree on the classes even if one of them lacks a class. Otherwise the classes are the different
// texts, in the order of their bytes.
class ClassIndex {
 public:
  // The label of each sample, or an empty text for a sample without one.
  explicit ClassIndex(const std::vector<std::string>& texts);
  // The index of the class of this label, or -1 for an empty text and for a label that was not among `texts`.
  int IndexOf(const std::string& text) const;
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::map<std::string, int> index_;
};

}  // namespace mimeo
