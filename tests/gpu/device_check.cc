// Does this machine's device compute what the CPU computes? For each recipe, in small, one JSON object a line: the
// first step's loss and whole gradient beside the CPU's, in float32 and with bfloat16 products; the losses of 20 steps
// beside the committed ones; and whether a run that was written and read again halfway goes on to the last bit, and
// whether steps recorded as a CUDA graph are the same to it. Judges nothing: scripts/gpu_check does.
//
//   device_check --device=cuda --recipes=recipes --photos=examples/clothing/train
//   --golden=tests/recipes/golden_losses.json [--only=NAME]...
#include <ATen/Context.h>
#include <ATen/TensorOperators.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "base/devices.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "job/job_spec.h"
#include "model/torch_device.h"
#include "tests/recipes/recipe_run.h"

namespace mimeo {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kGoldenSteps = 20, kEarlySteps = 8, kResumeSteps = 10;

struct Flags {
  std::string device = "cuda", recipes = "recipes", photos = "examples/clothing/train",
              golden = "tests/recipes/golden_losses.json";
  std::vector<std::string> only;
};

class DeviceCheck {
 public:
  DeviceCheck(const Flags& flags, const DeviceInfo& info, Json golden)
      : flags_(flags), info_(info), device_(TorchDevice(info)), golden_(std::move(golden)) {}

  absl::StatusOr<Json> Check(const std::string& name) const {
    ASSIGN_OR_RETURN(const std::string text, ReadFile(JoinPath(flags_.recipes, name + ".textproto")));
    ASSIGN_OR_RETURN(const JobSpec recipe, ParseRecipe(text, name));
    Json line = {{"recipe", name}};
    RETURN_IF_ERROR(CompareFirstStep(recipe, &line));
    RETURN_IF_ERROR(CompareWithGolden(name, recipe, &line));
    RETURN_IF_ERROR(ResumeAndRecord(recipe, &line));
    return line;
  }

 private:
  absl::StatusOr<RecipeRun> Run(const JobSpec& recipe, at::Device device, int64_t steps, int64_t save_after = 0) const {
    RecipeRunOptions options;
    options.steps = steps, options.device = device, options.photos = flags_.photos, options.save_after = save_after;
    return RunRecipe(recipe, options);
  }

  absl::Status CompareFirstStep(JobSpec recipe, Json* line) const {
    recipe = WithGoldenSchedule(recipe, kGoldenSteps);
    recipe.mutable_optimizer()->set_max_grad_norm(0);  // the whole gradient, as it is
    ASSIGN_OR_RETURN(const RecipeRun cpu, Run(recipe, at::kCPU, 1));
    ASSIGN_OR_RETURN(const RecipeRun exact, Run(recipe, device_, 1));
    const double norm = cpu.first_gradient.norm().item<double>();
    const auto compare = [&](const std::string& prefix, const RecipeRun& run) {
      (*line)[prefix + "loss_error"] = std::abs(run.losses[0] - cpu.losses[0]) / std::abs(cpu.losses[0]);
      (*line)[prefix + "gradient_error"] = (run.first_gradient - cpu.first_gradient).norm().item<double>() / norm;
    };
    compare("", exact);
    if (!info_.bfloat16()) return absl::OkStatus();
    recipe.mutable_resources()->set_precision(PRECISION_BF16);
    ASSIGN_OR_RETURN(const RecipeRun rounded, Run(recipe, device_, 1));
    compare("bf16_", rounded);
    return absl::OkStatus();
  }

  // The largest relative distance of 20 steps' losses, and of the first 8, in which rounding has not grown yet
  // (recipes_test.cc).
  absl::Status CompareWithGolden(const std::string& name, const JobSpec& recipe, Json* line) const {
    ASSIGN_OR_RETURN(const RecipeRun run, Run(WithGoldenSchedule(recipe, kGoldenSteps), device_, kGoldenSteps));
    const auto golden = golden_.at(name).get<std::vector<double>>();
    double worst = 0;
    for (size_t i = 0; i < golden.size(); ++i) {
      worst = std::max(worst, std::abs(run.losses.at(i) - golden[i]) / std::abs(golden[i]));
      if (i + 1 == static_cast<size_t>(kEarlySteps)) (*line)["golden_early_error"] = worst;
    }
    (*line)["golden_error"] = worst;
    return absl::OkStatus();
  }

  absl::Status ResumeAndRecord(const JobSpec& recipe, Json* line) const {
    JobSpec spec = WithGoldenSchedule(recipe, kResumeSteps);
    ASSIGN_OR_RETURN(const RecipeRun straight, Run(spec, device_, kResumeSteps));
    ASSIGN_OR_RETURN(const RecipeRun resumed, Run(spec, device_, kResumeSteps, kResumeSteps / 2));
    (*line)["resumes_to_the_bit"] = straight.losses == resumed.losses;
    spec.mutable_resources()->set_cuda_graph(true);
    const auto recorded = Run(spec, device_, kResumeSteps);
    // A recipe whose steps cannot be recorded says so.
    if (absl::IsInvalidArgument(recorded.status())) return absl::OkStatus();
    RETURN_IF_ERROR(recorded.status());
    (*line)["graph_to_the_bit"] =
        recorded->losses == straight.losses && recorded->terms == straight.terms && recorded->stats == straight.stats;
    return absl::OkStatus();
  }

  const Flags flags_;
  const DeviceInfo info_;
  const at::Device device_;
  const Json golden_;
};

std::vector<std::string> TinyRecipes(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string stem = entry.path().stem();
    if (absl::StartsWith(stem, "tiny_") && entry.path().extension() == ".textproto") names.push_back(stem);
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status Main(const Flags& flags) {
  ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, FindDevices(flags.device));
  // Kernels that give the same bits each time.
  at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/true);
  ASSIGN_OR_RETURN(const std::string golden, ReadFile(flags.golden));
  const DeviceCheck check(flags, devices.front(), Json::parse(golden));
  for (const std::string& name : flags.only.empty() ? TinyRecipes(flags.recipes) : flags.only) {
    ASSIGN_OR_RETURN(const Json line, check.Check(name));
    std::printf("%s\n", line.dump().c_str());
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  mimeo::Flags flags;
  CLI::App app{"Compares this machine's device with its CPU, recipe by recipe, as JSON lines."};
  app.add_option("--device", flags.device, "cuda or cpu (which compares the CPU with itself)")->capture_default_str();
  app.add_option("--recipes", flags.recipes, "folder of recipes; those whose names begin with tiny_ are run")
      ->capture_default_str();
  app.add_option("--photos", flags.photos, "images to train on")->capture_default_str();
  app.add_option("--golden", flags.golden, "losses of 20 steps by recipe")->capture_default_str();
  app.add_option("--only", flags.only, "recipes to run instead of all");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = mimeo::Main(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "device_check: %s\n", status.ToString().c_str());
  return 1;
}
