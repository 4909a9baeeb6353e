// Which build this is. Free functions without state.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace mimeo {

// The protocol between the processes of a cluster: the coordinator, its agents and ranks, and the teacher servers. It
// grows when a build of before could not work with one of after; docs/decisions/0020-protocol-versions.md says when.
constexpr int kProtocolVersion = 1;

std::string Version();  // "0.2.0": the file VERSION
// Of the source when this binary was linked: "abc1234", or "abc1234-dirty" where files were changed. Empty: not known.
std::string Commit();

// What every process calls a build, its own and a peer's: "mimeo 0.2.0 (commit abc1234, protocol 1)". The commit is
// "unknown" where `commit` is empty.
std::string BuildText(absl::string_view version, absl::string_view commit, int protocol);

// BuildText of this build. A binary that links libtorch passes its version, and ", libtorch 2.11.0" follows.
std::string VersionText(const std::string& libtorch = "");

}  // namespace mimeo
