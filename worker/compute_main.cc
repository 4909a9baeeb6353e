// The worker_compute binary: everything of a worker that computes, and so links libtorch. People call it by `worker`;
// the agent starts it for each rank.
#include <cstdio>
#include <map>
#include <string>

#include "base/cuda_library.h"
#include "base/short_spin.h"
#include "base/version.h"
#include "model/torch_version.h"
#include "worker/rank/rank_main.h"
#include "worker/tools/tools.h"

namespace {

// For the agent, which has no libtorch to try it with: 0, or the reason on stderr.
int TryCuda(int argc, char** argv) {
  const absl::Status loaded = mimeo::CudaLibrary::Load().status();
  if (loaded.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(loaded.message()).c_str());
  return 1;
}

using Verb = int (*)(int argc, char** argv);

}  // namespace

int main(int argc, char** argv) {
  mimeo::SpinShortly(argv);
  const std::map<std::string, Verb> verbs = {
      {"rank", mimeo::RunRank},       {"embed", mimeo::RunEmbed},       {"reconstruct", mimeo::RunReconstruct},
      {"export", mimeo::RunExport},   {"knn", mimeo::RunKnn},           {"linear", mimeo::RunLinear},
      {"compare", mimeo::RunCompare}, {"describe", mimeo::RunDescribe}, {"survey", mimeo::RunSurvey},
      {"try_cuda", TryCuda},
  };
  const std::string name = argc > 1 ? argv[1] : "";
  if (name == "--version") {
    std::puts(mimeo::VersionText(mimeo::TorchVersion()).c_str());
    return 0;
  }
  const auto verb = verbs.find(name);
  if (verb != verbs.end()) return verb->second(argc - 1, argv + 1);
  const bool asked = name == "--help" || name == "-h";
  std::fputs("worker_compute: called by `worker`, whose --help has the verbs\n", asked ? stdout : stderr);
  return asked ? 0 : 2;
}
