// The worker binary: the agent of a host, by its first argument; any other verb is worker_compute's, which takes this
// process over. No libtorch is linked here, so an agent starts in milliseconds and is as small as what it does.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/find_binary.h"
#include "base/print.h"
#include "base/short_spin.h"
#include "base/version.h"
#include "worker/agent/agent_main.h"

namespace {

constexpr char kUsage[] =
    R"(worker agent|rank|embed|reconstruct|export|describe|knn|linear|compare|survey [--help] FLAGS...
worker --version
  agent        runs the rank processes that a coordinator assigns to this host
  rank         trains one rank of one job's gang (started by the agent)
  embed        features of images by an encoder
  reconstruct  image | masked | reconstruction, as PNG
  export       an encoder out of a checkpoint
  describe     what weights are: their encoder as a block of a recipe
  knn          how well an encoder's features classify, by their neighbours
  linear       the same, by a linear probe
  compare      an encoder beside its start, raw pixels and others
  survey       what a folder or tar of images holds
Example:
  worker agent --coordinator=127.0.0.1:7070 --id=w0 --slots=2 --dir=/tmp/w0
)";

bool IsComputed(const std::string& verb) {
  for (const char* const known :
       {"rank", "embed", "reconstruct", "export", "describe", "knn", "linear", "compare", "survey"}) {
    if (verb == known) return true;
  }
  return false;
}

// Returns only where it fails.
int Compute(char** argv) {
  const auto binary = mimeo::FindBinary("worker_compute");
  if (!binary.ok()) {
    std::fprintf(stderr, "worker: %s\n", std::string(binary.status().message()).c_str());
    return 1;
  }
  execv(binary->c_str(), argv);
  std::fprintf(stderr, "worker: %s cannot be started: %s\n", binary->c_str(), std::strerror(errno));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  mimeo::LetChildrenSpinShortly();
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "agent") return mimeo::RunAgent(argc - 1, argv + 1);
  if (IsComputed(verb)) return Compute(argv);
  if (verb == "--version") {
    std::puts(mimeo::VersionText().c_str());
    return 0;
  }
  const bool asked = verb == "--help" || verb == "-h";
  if (!asked && !verb.empty()) mimeo::Print(stderr, "worker: no such verb: " + verb + "\n");
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 2;
}
