// The worker binary: an agent, a rank process, and the tools of one machine, by the first argument.
#include <cstdio>
#include <map>
#include <string>

#include "base/short_spin.h"
#include "base/version.h"
#include "model/torch_version.h"
#include "worker/agent/agent_main.h"
#include "worker/rank/rank_main.h"
#include "worker/tools/tools.h"

namespace {

constexpr char kUsage[] = R"(worker agent|rank|embed|reconstruct|export|knn|linear [--help] FLAGS...
worker --version
  agent        runs the rank processes that a coordinator assigns to this host
  rank         trains one rank of one job's gang (started by the agent)
  embed        features of images by an encoder
  reconstruct  image | masked | reconstruction, as PNG
  export       an encoder out of a checkpoint
  knn          how well an encoder's features classify, by their neighbours
  linear       the same, by a linear probe
Example:
  worker agent --coordinator=127.0.0.1:7070 --id=w0 --slots=2 --dir=/tmp/w0
)";

using Verb = int (*)(int argc, char** argv);

}  // namespace

int main(int argc, char** argv) {
  mimeo::SpinShortly(argv);  // an agent's ranks inherit it
  const std::map<std::string, Verb> verbs = {
      {"agent", [](int count, char** values) { return mimeo::RunAgent(count, values, mimeo::TorchVersion()); }},
      {"rank", mimeo::RunRank},
      {"embed", mimeo::RunEmbed},
      {"export", mimeo::RunExport},
      {"knn", mimeo::RunKnn},
      {"reconstruct", mimeo::RunReconstruct},
      {"linear", mimeo::RunLinear},
  };
  const std::string name = argc > 1 ? argv[1] : "";
  const auto verb = verbs.find(name);
  if (verb != verbs.end()) return verb->second(argc - 1, argv + 1);
  if (name == "--version") {
    std::puts(mimeo::VersionText(mimeo::TorchVersion()).c_str());
    return 0;
  }
  const bool asked = name == "--help" || name == "-h";
  if (!asked && !name.empty()) std::fprintf(stderr, "worker: no such verb: %s\n", name.c_str());
  std::fputs(kUsage, asked ? stdout : stderr);
  return asked ? 0 : 2;
}
