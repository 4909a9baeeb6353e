// How fast one training step is on this machine, as one JSON object: forward, loss, backward and AdamW of a recipe on
// made-up pixels, in this process, as a gang of one. A mimic objective gets made-up features: the teacher's own work is
// not in it.
//
//   bazel run //worker/training:train_step_benchmark -- --recipe=recipes/mae_b.textproto --batch=16 --steps=10
//   [--threads=2] [--device=cuda]
#include <ATen/ops/mm.h>
#include <ATen/ops/randn.h>

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
#include "job/device_peaks.h"
#include "job/flops.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "model/compute_settings.h"
#include "model/torch_device.h"
#include "teacher/teacher_request.h"
#include "worker/training/schedule.h"
#include "worker/training/side_stream.h"
#include "worker/training/training_run.h"
#include "worker/training/utilization.h"

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

// Features that nobody computed, of the student's width.
class MadeUpTeacher final : public FeatureSource {
 public:
  MadeUpTeacher(const JobSpec& spec, const TeacherRequest& request) : spec_(spec), request_(request) {}
  absl::Status Attach(const Batch& batch, absl::Time deadline, std::vector<ViewInput>* views) override {
    for (ViewInput& view : *views) {
      const at::Device device = view.images_BCHW.device();
      const at::Tensor features = at::randn({view.images_BCHW.size(0), NumTokens(request_, spec_), width()}).to(device);
      for (const std::string& objective : request_.objectives) view.teacher_BNT[objective] = features;
    }
    return absl::OkStatus();
  }
  const TeacherRequest& request() const override { return request_; }
  int width() const override {
    return spec_.encoder().has_vit() ? spec_.encoder().vit().width() : spec_.encoder().conv_vit().width();
  }

 private:
  const JobSpec spec_;
  const TeacherRequest request_;
};

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

// A gang of one that trains a job, and the pass that it is given at each step.
struct Rank {
  std::unique_ptr<Gang> gang;
  std::vector<std::unique_ptr<FeatureSource>> teachers;
  std::unique_ptr<TrainingRun> run;
  ForwardPass pass;
};

absl::StatusOr<Rank> MakeRank(const JobSpec& spec, at::Device device) {
  Rank rank;
  GangOptions options;
  options.device = device;
  ASSIGN_OR_RETURN(rank.gang, Gang::Join(options));
  std::vector<FeatureSource*> teachers;
  for (const TeacherRequest& request : TeacherRequests(spec)) {
    rank.teachers.push_back(std::make_unique<MadeUpTeacher>(spec, request));
    teachers.push_back(rank.teachers.back().get());
  }
  RunSetting setting;
  setting.spec = spec;
  setting.device = device;
  rank.run = std::make_unique<TrainingRun>(setting);
  RETURN_IF_ERROR(rank.run->MakeModel(teachers));
  RETURN_IF_ERROR(rank.run->MakeStep(rank.gang.get()));
  rank.pass = rank.run->BlankPass(spec.data().global_batch());
  const auto random_like = [&](const at::Tensor& images_BCHW) { return at::randn(images_BCHW.sizes()).to(device); };
  if (rank.pass.shared_BCHW.defined()) rank.pass.shared_BCHW = random_like(rank.pass.shared_BCHW);
  for (ViewInput& view : rank.pass.views) view.images_BCHW = random_like(view.images_BCHW);
  for (FeatureSource* teacher : teachers) {
    RETURN_IF_ERROR(teacher->Attach(Batch(), absl::InfiniteFuture(), &rank.pass.views));
  }
  return rank;
}

absl::StatusOr<std::vector<double>> StepSeconds(const Flags& flags, const JobSpec& spec, const Rank& rank,
                                                at::Device device) {
  const int warm_up = device.is_cpu() ? kWarmUpSteps : 5 * kWarmUpSteps;
  std::vector<double> seconds;
  absl::Status status;
  for (int i = 0; i < warm_up + flags.steps && status.ok(); ++i) {
    const double took = SecondsOf(device, [&] {
      status = rank.run->step()->Run({rank.pass}, {PeakRate(spec), 0, flags.feature_stats}).status();
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
  SetUpCompute(flags.threads);
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
