// How fast encoded images become normalised training views: read, decode, random crop (bicubic), flip, normalise.
//
//   bazel run //data:loader_benchmark -- --data=PATH --image_px=224 --threads=1 [--image_width_px=224] [--channels=3]
//                                        [--batch=64] [--images=2000] [--rounds=5]
//
// Prints one JSON object. images_per_second is by the wall clock; per core it is by the processor time that the whole
// process used, so that neither a waiting thread nor the normalising one is left out.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "data/loader.h"

namespace mimeo {
namespace {

struct Flags {
  std::string data;
  int image_px = 224;
  int image_width_px = 0;  // 0: image_px
  int channels = 3;
  int threads = 1;
  int64_t batch = 64;
  int64_t images = 2000;
  int rounds = 5;
};

JobSpec MaeJob(const Flags& flags) {
  JobSpec spec;
  spec.set_seed(1);
  spec.mutable_data()->set_global_batch(flags.batch);
  spec.mutable_data()->set_image_px(flags.image_px);
  spec.mutable_data()->set_image_width_px(flags.image_width_px);
  spec.mutable_data()->set_channels(flags.channels);
  spec.mutable_data()->set_loader_threads(flags.threads);
  spec.mutable_data()->set_max_bad_samples(100);
  spec.mutable_data()->set_max_pixels(100000000);
  ViewSpec* views = spec.add_views();
  views->set_count(1);
  views->set_image_px(flags.image_px);
  views->set_image_width_px(flags.image_width_px);
  views->set_crop_scale_min(0.2);
  views->set_crop_scale_max(1);
  views->set_crop_ratio_min(3.0 / 4);
  views->set_crop_ratio_max(4.0 / 3);
  views->set_flip_probability(0.5);
  return spec;
}

double ProcessorSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) { return time.tv_sec + time.tv_usec * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// (x / 255 - mean) / std in one pass.
void Normalise(const at::Tensor& bytes_BCHW, const at::Tensor& out_BCHW) {
  constexpr float kMean[] = {0.485f, 0.456f, 0.406f};
  constexpr float kDeviation[] = {0.229f, 0.224f, 0.225f};
  const int64_t channels = bytes_BCHW.size(1), plane = bytes_BCHW.size(2) * bytes_BCHW.size(3);
  const auto* from = bytes_BCHW.const_data_ptr<uint8_t>();
  auto* to = out_BCHW.mutable_data_ptr<float>();
  for (int64_t i = 0; i < bytes_BCHW.size(0) * channels; ++i, from += plane, to += plane) {
    const float scale = 1 / (255 * kDeviation[i % channels]);
    const float shift = -kMean[i % channels] / kDeviation[i % channels];
    for (int64_t j = 0; j < plane; ++j) to[j] = from[j] * scale + shift;
  }
}

struct Rates {
  std::vector<double> per_second;
  std::vector<double> per_core_second;
};

absl::Status MeasureRound(const Dataset& dataset, const Flags& flags, const at::Tensor& normalised, Rates* rates) {
  Loader::Options options;
  const int64_t batches = std::max<int64_t>(1, flags.images / flags.batch);
  options.last_step_batches = batches;  // so that no thread works ahead of what is counted
  const double cpu_before = ProcessorSeconds();
  const absl::Time before = Clock::Real()->Now();
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, Loader::Open(&dataset, MaeJob(flags), options));
  for (int64_t i = 0; i < batches; ++i) {
    ASSIGN_OR_RETURN(const Batch batch, loader->Next());
    Normalise(batch.views_BCHW[0], normalised);
  }
  const double seconds = absl::ToDoubleSeconds(Clock::Real()->Now() - before);
  const double images = static_cast<double>(batches * flags.batch);
  rates->per_second.push_back(images / seconds);
  rates->per_core_second.push_back(images / (ProcessorSeconds() - cpu_before));
  return absl::OkStatus();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

absl::Status Measure(const Flags& flags) {
  at::set_num_threads(1);
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, Dataset::Open(flags.data));
  Flags fitting = flags;
  fitting.batch = std::min(flags.batch, dataset->size());
  if (fitting.image_width_px == 0) fitting.image_width_px = flags.image_px;
  const at::Tensor normalised =
      at::empty({fitting.batch, flags.channels, flags.image_px, fitting.image_width_px}, at::kFloat);
  Rates warm_up;
  RETURN_IF_ERROR(MeasureRound(*dataset, fitting, normalised, &warm_up));
  Rates rates;
  for (int i = 0; i < flags.rounds; ++i) RETURN_IF_ERROR(MeasureRound(*dataset, fitting, normalised, &rates));
  nlohmann::ordered_json result;
  result["images_per_second"] = Median(rates.per_second);
  result["images_per_second_best"] = *std::max_element(rates.per_second.begin(), rates.per_second.end());
  result["images_per_second_per_core"] = Median(rates.per_core_second);
  result["images_per_second_per_core_best"] =
      *std::max_element(rates.per_core_second.begin(), rates.per_core_second.end());
  result["threads"] = flags.threads;
  result["image_px"] = flags.image_px;
  result["image_width_px"] = fitting.image_width_px;
  result["channels"] = flags.channels;
  result["batch"] = fitting.batch;
  result["images_in_data"] = dataset->size();
  std::printf("%s\n", result.dump().c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  mimeo::Flags flags;
  CLI::App app("Measures the loader: read, decode, random crop, flip, normalise.", "loader_benchmark");
  app.add_option("--data", flags.data, "A folder of images, a tar, or a folder of tars")->required();
  app.add_option("--image_px", flags.image_px, "Height of a crop (default 224)")->check(CLI::Range(1, 4096));
  app.add_option("--image_width_px", flags.image_width_px, "Its width (default: its height)")
      ->check(CLI::Range(1, 4096));
  app.add_option("--channels", flags.channels, "3, or 1 for grey (default 3)")->check(CLI::IsMember({1, 3}));
  app.add_option("--threads", flags.threads, "Reading threads (default 1)")->check(CLI::Range(1, 1024));
  app.add_option("--batch", flags.batch, "Images per batch (default 64)")->check(CLI::Range(1, 65536));
  app.add_option("--images", flags.images, "Per round (default 2000)");
  app.add_option("--rounds", flags.rounds, "After one to warm up (default 5)")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = mimeo::Measure(flags);
  if (status.ok()) return 0;
  std::fprintf(stderr, "loader_benchmark: %s\n", std::string(status.message()).c_str());
  return 1;
}
