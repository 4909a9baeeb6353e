// Which build this is: its release, the commit of its source, and the protocol that it speaks. Free functions without
// state; thread-safe.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// The version of the protocol between the processes of a cluster: the coordinator, its agents and ranks, and the
// teacher servers. It becomes one more with a change after which an older build could not work with a newer one.
// docs/decisions/0020-protocol-versions.md says which changes those are.
constexpr int kProtocolVersion = 1;

// The release, such as "0.2.0", from the file VERSION.
std::string Version();
// The commit of the source from which this binary was linked, such as "abc1234", or "abc1234-dirty" where files had
// been changed. Whoever builds a release may put a label in its place. Empty: not known, as in tests.
std::string Commit();

// What every process calls a build, its own and a peer's: "mimeo 0.2.0 (commit abc1234, protocol 1)". The commit is
// "unknown" where `commit` is empty.
std::string BuildText(absl::string_view version, absl::string_view commit, int protocol);

// BuildText of this build. A binary that links libtorch passes its version, and ", libtorch 2.11.0" follows.
std::string VersionText(const std::string& libtorch = "");

}  // namespace mimeo
