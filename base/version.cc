#include "base/version.h"

#include "absl/strings/str_cat.h"
#include "base/version_number.h"

namespace mimeo {

// Defined by version_stamp.cc, which each link compiles anew.
extern const char kStampedLabel[];
extern const char kStampedCommit[];
extern const char kStampedTree[];

std::string Version() { return kVersionNumber; }

std::string Commit() {
  // What whoever builds a release says, before what the working tree says.
  const std::string label = kStampedLabel;
  if (!label.empty() && label != "redacted") return label;
  const std::string commit = kStampedCommit;
  if (commit.empty() || commit == "0") return "";  // built without git, or unstamped as tests are
  return absl::StrCat(commit, std::string(kStampedTree) == "dirty" ? "-dirty" : "");
}

std::string BuildText(absl::string_view version, absl::string_view commit, int protocol) {
  return absl::StrCat("mimeo ", version, " (commit ", commit.empty() ? "unknown" : commit, ", protocol ", protocol,
                      ")");
}

std::string VersionText(const std::string& libtorch) {
  return absl::StrCat(BuildText(Version(), Commit(), kProtocolVersion), libtorch.empty() ? "" : ", libtorch ",
                      libtorch);
}

}  // namespace mimeo
