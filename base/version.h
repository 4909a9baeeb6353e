// Which build this is. Free functions without state.
#pragma once

#include <string>

namespace mimeo {

// The protocol between the processes of a cluster: the coordinator, its agents and ranks, and the teacher servers. It
// grows when a build of before could not work with one of after; docs/decisions/0020-protocol-versions.md says when.
constexpr int kProtocolVersion = 1;

std::string Version();  // "0.2.0": the file VERSION
// Of the source when this binary was linked: "abc1234", or "abc1234-dirty" where files were changed. Empty: not known.
std::string Commit();

// "mimeo 0.2.0 (commit abc1234, protocol 1)", and behind it ", libtorch 2.11.0" for who links it and says so.
std::string VersionText(const std::string& libtorch = "");

}  // namespace mimeo
