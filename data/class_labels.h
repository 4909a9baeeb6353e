// Turns the texts of labels into numbers of classes. Nothing here reads a file or holds a lock: any thread may call it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "data/passed_over.h"
#include "data/tar_index.h"

namespace mimeo {

// The key by which WebDataset joins the members of one sample: the member's path up to the first dot in its last part.
// "a/b.c.jpg" and "a/b.cls" have the key "a/b".
absl::string_view SampleKey(absl::string_view member);

// The text of each member's label, empty for a member that has none and for one that is no image.
//
// A .cls member gives its text without spaces at the ends. A .json member gives its field "label" or, where it has
// none, "cls", which may be a string or a whole number. Where an image has both, the .cls member counts. Endings may be
// in any case.
//
// An image takes the label member whose path, without its own ending, is that of the image: "22.0.jpg" takes "22.0.cls"
// and never "22.1.cls". Where there is none, it takes the label that its SampleKey has, provided that the key has one
// only, and that this is no other image's own: "a/b.c.jpg" takes "a/b.cls". Else it has no label, because every choice
// would be a guess.
//
// What costs an image its label is counted in `passed_over`: a label member that is too long, is not JSON, is empty or
// has a label of another kind; two that contradict each other; a choice that would be a guess. Label members without an
// image are counted too.
std::vector<std::string> ReadLabelTexts(const std::vector<TarMember>& members, PassedOverTally* passed_over);

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
