#include "base/build_info.h"

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/version.h"

namespace mimeo {
namespace {

// The words of a peer may be any bytes.
std::string PeerText(const BuildInfo& peer) {
  if (peer.version().empty()) return absl::StrCat("mimeo of an earlier build (protocol ", peer.protocol(), ")");
  return BuildText(ToText(peer.version(), limits::kNameBytes), ToText(peer.commit(), limits::kNameBytes),
                   peer.protocol());
}

}  // namespace

BuildInfo ThisBuild(const std::string& libtorch) {
  BuildInfo build;
  build.set_version(Version());
  build.set_commit(Commit());
  build.set_protocol(kProtocolVersion);
  build.set_libtorch(libtorch);
  return build;
}

absl::Status CheckProtocol(absl::string_view what, absl::string_view name, const BuildInfo& peer) {
  if (peer.protocol() == kProtocolVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      what, " ", ToText(name, limits::kNameBytes), " is ", PeerText(peer), ", and the coordinator is ", VersionText(),
      ": both must speak the same protocol version; install the coordinator's build there, or upgrade the "
      "coordinator first"));
}

}  // namespace mimeo
