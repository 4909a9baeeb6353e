// The label members of a shard from anywhere: names and contents by turns. Each label is a class of the data set, and
// classes have names of their own.
#include "data/class_labels.h"

#include <set>

#include "tests/fuzz/fuzz_target.h"

namespace mimeo::fuzz {

FUZZ_TARGET(labels) {
  std::vector<TarMember> members;
  const std::vector<absl::string_view> pieces = Pieces(bytes);
  for (size_t i = 0; i + 1 < pieces.size(); i += 2) {
    TarMember member;
    member.name = std::string(pieces[i]);
    member.contents = std::string(pieces[i + 1]);
    member.size = static_cast<int64_t>(member.contents.size());
    members.push_back(member);
  }
  PassedOverTally passed_over;
  const std::vector<std::string> labels = ReadLabelTexts(members, &passed_over);
  MIMEO_CHECK(labels.size() == members.size(), labels.size(), " labels of ", members.size(), " members");
  const ClassIndex classes(labels);
  for (const std::string& label : labels) {
    if (label.empty()) continue;  // it has none
    const int index = classes.IndexOf(label);
    MIMEO_CHECK(index >= 0 && index < static_cast<int>(classes.names().size()), index);
    MIMEO_CHECK(classes.names()[index] == label, label);
  }
  MIMEO_CHECK(std::set<std::string>(classes.names().begin(), classes.names().end()).size() == classes.names().size());
}

}  // namespace mimeo::fuzz
