// How fast one training step is on this machine, as one JSON object: forward, loss, backward and AdamW of a recipe on made-up
// pixels, in this process, as a gang of one. A mimic objective gets made-up features: the teacher's own work is not in it.
//
//   bazel run //worker:train_step_benchmark -- --recipe=recipes/mae_b.textproto --batch=16 --steps=10 [--threads=2]
#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "model/flops.h"
#include "worker/training/schedule.h"
#include "worker/training/train_step.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

constexpr int kWarmUpSteps = 2;

struct Flags {
  std::string recipe;
  int64_t batch = 16;
  int steps = 10;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  bool feature_stats = false;
  std::vector<std::string> sets;
};

double SecondsOf(const std::function<void()>& body) {
  const absl::Time began = Clock::Real()->Now();
  body();
  return absl::ToDoubleSeconds(Clock::Real()->Now() - began);
}

absl::StatusOr<JobSpec> ReadSpec(const Flags& flags) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(flags.recipe));
  ASSIGN_OR_RETURN(JobSpec spec, ParseRecipe(text, flags.recipe));
  for (const std::string& set : flags.sets) RETURN_IF_ERROR(SetField(set, &spec));
  spec.mutable_data()->set_path("made-up");
  spec.mutable_data()->set_global_batch(flags.batch);
  spec.mutable_resources()->set_num_ranks(1);
  spec.mutable_resources()->set_micro_batch(flags.batch);
  return ResolveJobSpec(spec);
}

// Features have the student's width.
ForwardPass MadeUpViews(const JobSpec& spec, int width) {
  const DataSpec& data = spec.data();
  Batch batch;
  for (int64_t row = 0; row < data.global_batch(); ++row) batch.keys.push_back(RandomKey(1).Fold(static_cast<uint64_t>(row)));
  for (const ViewSpec& view : EachView(spec)) {
    batch.views_BCHW.push_back(at::zeros({data.global_batch(), data.channels(), view.image_px(), view.image_width_px()}, at::kByte));
  }
  ForwardPass pass = ViewMaker(spec, at::kCPU).Make(batch, {});
  pass.shared_BCHW = at::randn(batch.views_BCHW[0].sizes());
  for (ViewInput& view : pass.views) {
    view.images_BCHW = at::randn(view.images_BCHW.sizes());
    for (const ObjectiveSpec& objective : spec.objective()) {
      const int64_t tokens = NumVisible(spec) + (objective.mimic().class_token() ? 1 : 0);
      if (objective.has_mimic()) view.teacher_BKT[objective.name()] = at::randn({data.global_batch(), tokens, width});
    }
  }
  return pass;
}

// GFLOP/s of this machine's float32 matrix product with the same threads: what a step is judged by.
double MatrixProductGflops() {
  constexpr int64_t kSide = 1536;
  const at::Tensor a = at::randn({kSide, kSide}), b = at::randn({kSide, kSide});
  double best = SecondsOf([&] { at::mm(a, b); });
  for (int i = 0; i < 8; ++i) best = std::min(best, SecondsOf([&] { at::mm(a, b); }));
  return 2e-9 * kSide * kSide * kSide / best;
}

absl::StatusOr<nlohmann::ordered_json> Measure(const Flags& flags) {
  ASSIGN_OR_RETURN(const JobSpec spec, ReadSpec(flags));
  at::set_num_threads(flags.threads);
  ASSIGN_OR_RETURN(const auto gang, Gang::Join(GangOptions()));
  Parameters parameters(spec.seed(), spec.resources().precision() == PRECISION_BF16 ? Products::kBFloat16 : Products::kAsStored);
  const auto encoder = MakeEncoder(spec.encoder(), ImageShapeOf(spec.data()), &parameters);
  ObjectiveSum::Context context;
  for (const ObjectiveSpec& objective : spec.objective()) context.teacher_widths[objective.name()] = encoder->width();
  ASSIGN_OR_RETURN(const auto objectives, ObjectiveSum::Create(spec, *encoder, context, &parameters));
  AdamW optimizer(&parameters, spec.optimizer().adamw());
  GradientReducer reducer(gang.get(), parameters);
  TrainStep step(&parameters, encoder.get(), objectives.get(), &reducer, &optimizer, {spec.optimizer().max_grad_norm(), nullptr});
  const std::vector<ForwardPass> views = {MadeUpViews(spec, encoder->width())};
  RETURN_IF_ERROR(step.Settle(views[0]));
  std::vector<double> seconds;
  absl::Status status;
  for (int i = 0; i < kWarmUpSteps + flags.steps && status.ok(); ++i) {
    seconds.push_back(SecondsOf([&] { status = step.Run(views, {PeakRate(spec), 0, flags.feature_stats}).status(); }));
  }
  RETURN_IF_ERROR(status);
  seconds.erase(seconds.begin(), seconds.begin() + kWarmUpSteps);
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2], images = static_cast<double>(flags.batch);
  const double gflop = TrainGflopPerImage(spec, NumVisible(spec));
  const double machine = MatrixProductGflops();
  return nlohmann::ordered_json{
      {"recipe", flags.recipe}, {"batch", flags.batch}, {"threads", flags.threads}, {"steps", flags.steps},
      {"precision", Precision_Name(spec.resources().precision())},
      {"images_per_second", {{"median", images / median}, {"best", images / seconds.front()}}},
      {"step_seconds", median}, {"gflop_per_image", gflop}, {"matrix_product_gflop_per_second", machine},
      {"share_of_matrix_product", gflop * images / median / machine}};
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  mimeo::Flags flags;
  CLI::App app{"One training step's speed on this machine, as JSON."};
  app.add_option("--recipe", flags.recipe, "text proto of a job")->required();
  app.add_option("--batch", flags.batch, "images a step")->check(CLI::Range(1, 65536));
  app.add_option("--steps", flags.steps, "measured steps, after two that are not")->check(CLI::Range(1, 100000));
  app.add_option("--threads", flags.threads, "compute threads (default: all cores)")->check(CLI::Range(1, 1024));
  app.add_flag("--feature_stats", flags.feature_stats, "what every tenth step of a job computes beside");
  app.add_option("--set", flags.sets, "FIELD=VALUE of the recipe")->allow_extra_args(false);
  CLI11_PARSE(app, argc, argv);
  const auto measured = mimeo::Measure(flags);
  if (!measured.ok()) {
    std::fprintf(stderr, "train_step_benchmark: %s\n", std::string(measured.status().message()).c_str());
    return 1;
  }
  std::printf("%s\n", measured->dump().c_str());
  return 0;
}
