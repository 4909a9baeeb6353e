#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status_macros.h"
#include "job/job_spec.h"
#include "model/parameters.h"
#include "worker/tools/encoder_file.h"
#include "worker/tools/tools.h"
#include "worker/tools/verb.h"

namespace mimeo {
namespace {

struct Flags {
  std::string weights;
  int threads = 1;  // nothing is computed
};

absl::Status Describe(const Flags& flags) {
  ASSIGN_OR_RETURN(const LoadedEncoder loaded, OpenEncoder(flags.weights));
  JobSpec recipe;
  *recipe.mutable_encoder() = loaded.spec;
  int64_t numbers = 0;
  for (const auto& [name, parameter] : loaded.parameters->all()) numbers += parameter.numel();
  PrintResult({{"path", flags.weights},
               {"family", loaded.family},
               {"digest", loaded.digest},
               {"parameters", numbers},
               {"channels", loaded.image.channels},
               {"height_px", loaded.image.height_px},
               {"width_px", loaded.image.width_px},
               {"pixel_mean", loaded.statistics.mean},
               {"pixel_std", loaded.statistics.std},
               {"encoder", JobSpecText(recipe)},
               {"notes", loaded.notes}});
  return absl::OkStatus();
}

}  // namespace

int RunDescribe(int argc, char** argv) {
  Flags flags;
  CLI::App app(
      "What an encoder's weights are: one JSON object on stdout. `encoder` is the block of a recipe that makes an "
      "encoder of this shape, so that a job can start from these weights.",
      "describe");
  app.add_option("--weights", flags.weights, "A weights file, or a folder that holds one, as embed takes it")
      ->required();
  app.footer("Example:\n  worker describe --weights=out/encoder");
  return RunVerb(&app, argc, argv, &flags.threads, [&flags] { return Describe(flags); });
}

}  // namespace mimeo
