// How fast one training step is on this machine, as one JSON object: forward, loss, backward and AdamW of a recipe on
// made-up pixels, in this process, as a gang of one. A mimic objective gets made-up features: the teacher's own work is
// not in it.
//
//   bazel run //worker/training:train_step_benchmark -- --recipe=recipes/mae_b.textproto --batch=16 --steps=10
//   [--threads=2] [--device=cuda]
#include <ATen/Context.h>
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
#include "base/devices.h"
#include "base/file.h"
#include "base/short_spin.h"
#include "base/status_macros.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "model/device_peaks.h"
#include "model/flops.h"
#include "model/torch_device.h"
#include "teacher/teacher_request.h"
#include "worker/training/model_parts.h"
#include "worker/training/schedule.h"
#include "worker/training/side_stream.h"
#include "worker/training/step_parts.h"
#include "worker/training/utilization.h"
#include "worker/training/views.h"

namespace mimeo {
namespace {

constexpr int kWarmUpSteps = 2;

struct Flags {
  std::string recipe;
  std::string device = "cpu";
  int64_t batch = 16;
  int steps = 10;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  bool feature_stats = false;
  std::vector<std::string> sets;
};

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
ForwardPass MadeUpViews(const JobSpec& spec, int width, at::Device device) {
  const DataSpec& data = spec.data();
  Batch batch;
  for (int64_t row = 0; row < data.global_batch(); ++row) {
    batch.keys.push_back(RandomKey(1).Fold(static_cast<uint64_t>(row)));
  }
  for (const ViewSpec& view : EachView(spec)) {
    batch.views_BCHW.push_back(
        at::zeros({data.global_batch(), data.channels(), view.image_px(), view.image_width_px()}, at::kByte));
  }
  ForwardPass pass = ViewMaker(spec, device).Make(batch, {});
  pass.shared_BCHW = at::randn(batch.views_BCHW[0].sizes()).to(device);
  for (ViewInput& view : pass.views) {
    view.images_BCHW = at::randn(view.images_BCHW.sizes()).to(device);
    for (const TeacherRequest& request : TeacherRequests(spec)) {
      const at::Tensor features = at::randn({data.global_batch(), NumTokens(request, spec), width}).to(device);
      for (const std::string& objective : request.objectives) view.teacher_BNT[objective] = features;
    }
  }
  return pass;
}

// Until the device has done what it was given, too.
double SecondsOf(at::Device device, const std::function<void()>& body) {
  const absl::Time began = Clock::Real()->Now();
  body();
  DeviceMark::Here(device).AwaitOnHost();
  return absl::ToDoubleSeconds(Clock::Real()->Now() - began);
}

// GFLOP/s of this device's matrix product in the job's arithmetic, with the same threads: what a step is judged by.
double MatrixProductGflops(const JobSpec& spec, at::Device device) {
  const int64_t side = device.is_cpu() ? 1536 : 8192;
  const auto type = spec.resources().precision() == PRECISION_BF16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor a = at::randn({side, side}).to(device, type), b = at::randn({side, side}).to(device, type);
  double best = SecondsOf(device, [&] { at::mm(a, b); });
  for (int i = 0; i < 8; ++i) best = std::min(best, SecondsOf(device, [&] { at::mm(a, b); }));
  return 2e-9 * static_cast<double>(side * side * side) / best;
}

// A gang of one that trains `spec`.
struct Rank {
  std::unique_ptr<Gang> gang;
  ModelParts model;
  StepParts step;
};

absl::StatusOr<Rank> MakeRank(const JobSpec& spec, at::Device device) {
  Rank rank;
  GangOptions options;
  options.device = device;
  ASSIGN_OR_RETURN(rank.gang, Gang::Join(options));
  ObjectiveSum::Context context;
  const int width = spec.encoder().has_vit() ? spec.encoder().vit().width() : spec.encoder().conv_vit().width();
  for (const ObjectiveSpec& objective : spec.objective()) context.teacher_widths[objective.name()] = width;
  ASSIGN_OR_RETURN(rank.model, MakeModelParts(spec, context, device));
  ASSIGN_OR_RETURN(rank.step, MakeStepParts(spec, rank.model, rank.gang.get(), device));
  return rank;
}

absl::StatusOr<std::vector<double>> StepSeconds(const Flags& flags, const JobSpec& spec, const Rank& rank,
                                                at::Device device) {
  const std::vector<ForwardPass> views = {MadeUpViews(spec, rank.model.encoder->width(), device)};
  RETURN_IF_ERROR(rank.step.step->Settle(views[0]));
  const int warm_up = device.is_cpu() ? kWarmUpSteps : 5 * kWarmUpSteps;
  std::vector<double> seconds;
  absl::Status status;
  for (int i = 0; i < warm_up + flags.steps && status.ok(); ++i) {
    const double took = SecondsOf(device, [&] {
      status = rank.step.step->Run(views, {PeakRate(spec), 0, flags.feature_stats}).status();
    });
    if (i >= warm_up) seconds.push_back(took);
  }
  RETURN_IF_ERROR(status);
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

absl::StatusOr<nlohmann::ordered_json> Measure(const Flags& flags) {
  ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, FindDevices(flags.device));
  const at::Device device = TorchDevice(devices.front());
  ASSIGN_OR_RETURN(const JobSpec spec, ReadSpec(flags));
  const OwnStream own_stream(device);
  at::set_num_threads(flags.threads);
  at::globalContext().setAllowTF32CuDNN(false);  // as ranks do
  ASSIGN_OR_RETURN(const Rank rank, MakeRank(spec, device));
  ASSIGN_OR_RETURN(const std::vector<double> seconds, StepSeconds(flags, spec, rank, device));
  const double median = seconds[seconds.size() / 2], images = static_cast<double>(flags.batch);
  const double gflop = TrainGflopPerImage(spec, NumVisible(spec));
  const int64_t peak_memory = PeakMemoryBytes(device);
  const double machine = MatrixProductGflops(spec, device);
  nlohmann::ordered_json json = {
      {"recipe", flags.recipe},
      {"device", devices.front().name()},
      {"batch", flags.batch},
      {"threads", flags.threads},
      {"steps", flags.steps},
      {"precision", Precision_Name(spec.resources().precision())},
      {"images_per_second", {{"median", images / median}, {"best", images / seconds.front()}}},
      {"step_seconds", median},
      {"gflop_per_image", gflop},
      {"peak_memory_bytes", peak_memory},
      {"matrix_product_gflop_per_second", machine},
      {"share_of_matrix_product", gflop * images / median / machine}};
  if (const double peak = PeakGflopPerSecond(devices.front().name(), spec.resources().precision()); peak > 0) {
    json["mfu"] = gflop * images / median / peak;
  }
  return json;
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  mimeo::SpinShortly(argv);  // as ranks do
  mimeo::Flags flags;
  CLI::App app{"One training step's speed on this machine, as JSON."};
  app.add_option("--recipe", flags.recipe, "text proto of a job")->required();
  app.add_option("--device", flags.device, "cpu, cuda or auto")->capture_default_str();
  app.add_option("--batch", flags.batch, "images a step")->check(CLI::Range(1, 65536));
  app.add_option("--steps", flags.steps, "measured steps, after two that are not (ten on a GPU)")
      ->check(CLI::Range(1, 100000));
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
