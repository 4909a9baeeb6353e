// The teacher server's process: loads an encoder, serves it, and says so to the coordinator.
#include <ATen/Parallel.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/address.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/devices.h"
#include "base/limits.h"
#include "base/metrics_server.h"
#include "base/process.h"
#include "base/rpc/channel_options.h"
#include "base/short_spin.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "base/version.h"
#include "model/catch_torch.h"
#include "model/compute_settings.h"
#include "model/torch_device.h"
#include "model/torch_version.h"
#include "teacher_server/registration.h"
#include "teacher_server/serving.h"
#include "teacher_server/teacher.h"

namespace mimeo {
namespace {

constexpr absl::Duration kLook = absl::Seconds(1);  // for a stop or a refusal

struct Flags {
  std::string name;
  std::string weights;
  std::string listen = "127.0.0.1:7071";
  std::string advertise;
  std::string coordinator;
  std::string metrics_listen = "127.0.0.1:0";
  std::string announce;
  std::string device = "auto";
  std::string precision = "auto";
  int threads = 0;
  int max_batch_images = 64;
  ChannelOptions channels;
};

absl::Status Check(const Flags& flags) {
  std::string problems;
  const auto add = [&](const absl::Status& status) {
    if (!status.ok()) absl::StrAppend(&problems, problems.empty() ? "" : "\n", std::string(status.message()));
  };
  if (flags.name.empty() || flags.name.size() > limits::kNameBytes) {
    add(absl::InvalidArgumentError(
        absl::StrCat("--name has ", flags.name.size(), " bytes, must have 1 to ", limits::kNameBytes)));
  }
  if (ToText(flags.name) != flags.name) {
    add(absl::InvalidArgumentError(
        absl::StrCat("--name is \"", ToText(flags.name), "\", must be UTF-8 without control characters")));
  }
  const auto listen = ParseAddress("--listen", flags.listen, AddressUse::kListen);
  add(listen.status());
  add(ParseAddress("--metrics_listen", flags.metrics_listen, AddressUse::kListen).status());
  if (!flags.advertise.empty()) add(ParseAddress("--advertise", flags.advertise, AddressUse::kCall).status());
  if (!flags.coordinator.empty()) add(ParseAddress("--coordinator", flags.coordinator, AddressUse::kCall).status());
  if (!flags.coordinator.empty() && flags.advertise.empty() && listen.ok() && listen->every_interface()) {
    add(absl::InvalidArgumentError(
        absl::StrCat("--advertise is needed: ranks cannot connect to --listen ", flags.listen)));
  }
  if (flags.precision != "auto" && flags.precision != "fp32" && flags.precision != "bf16") {
    add(absl::InvalidArgumentError(
        absl::StrCat("--precision is \"", flags.precision, "\", must be auto, fp32 or bf16")));
  }
  if (flags.threads < 0) {
    add(absl::InvalidArgumentError(absl::StrCat("--threads is ", flags.threads, ", must be 0 or more")));
  }
  if (flags.max_batch_images < 1) {
    add(absl::InvalidArgumentError(
        absl::StrCat("--max_batch_images is ", flags.max_batch_images, ", must be positive")));
  }
  return problems.empty() ? absl::OkStatus() : absl::InvalidArgumentError(problems);
}

// auto: bfloat16 on a GPU that has it, where it is the faster one; float32 elsewhere.
absl::StatusOr<Products> ChooseProducts(const std::string& precision, const DeviceInfo& device) {
  if (precision == "bf16" && !device.bfloat16()) {
    return absl::FailedPreconditionError(
        absl::StrCat("--precision is bf16, and ", device.name(), " has no bfloat16 products; use fp32"));
  }
  const bool bfloat16 =
      precision == "bf16" || (precision == "auto" && device.device() == DEVICE_CUDA && device.bfloat16());
  return bfloat16 ? Products::kBFloat16 : Products::kAsStored;
}

absl::Status Serve(const Flags& flags) {
  RETURN_IF_ERROR(Check(flags));
  SetUpCompute(flags.threads > 0 ? flags.threads : at::get_num_threads());
  ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, FindDevices(flags.device));
  const DeviceInfo& found = devices.front();
  ASSIGN_OR_RETURN(const Products products, ChooseProducts(flags.precision, found));
  ASSIGN_OR_RETURN(const std::unique_ptr<FrozenTeacher> teacher,
                   FrozenTeacher::Load(flags.name, flags.weights, TorchDevice(found), products));
  TeacherContract contract = teacher->contract();
  SetServingLimits(flags.max_batch_images, &contract);

  Metrics metrics(MetricOwner::kTeacher);
  ASSIGN_OR_RETURN(const Address metrics_listen,
                   ParseAddress("--metrics_listen", flags.metrics_listen, AddressUse::kListen));
  ASSIGN_OR_RETURN(const Address metrics_bound, metrics.Serve(metrics_listen));
  ASSIGN_OR_RETURN(const Address listen, ParseAddress("--listen", flags.listen, AddressUse::kListen));
  ServingTeacher::Options options;
  options.listen = listen.ToString();
  options.channels = flags.channels;
  const auto compute = [&teacher](absl::Span<const FeatureTask> tasks) { return teacher->Compute(tasks); };
  ASSIGN_OR_RETURN(const std::unique_ptr<ServingTeacher> server,
                   ServingTeacher::Start(options, contract, compute, &metrics, Clock::Real()));
  const std::string bound = listen.WithPort(server->port()).ToString();
  for (const std::string& note : teacher->notes()) {
    spdlog::info("weights assumed name={} note=\"{}\"", flags.name, note);
  }
  spdlog::info(
      "teacher serves name={} address={} device=\"{}\" precision={} family={} digest={} image={}x{}x{} patch_px={} "
      "width={} projected_width={} "
      "blocks={} block_width={} class_token={} mean={} std={}",
      flags.name, bound, found.name(), products == Products::kBFloat16 ? "bf16" : "fp32", contract.family(),
      contract.weights_digest(), contract.channels(), contract.image_height_px(), contract.image_width_px(),
      contract.patch_px(), contract.feature_width(), contract.projected_width(), contract.num_blocks(),
      contract.block_width(), contract.has_class_token(), absl::StrJoin(contract.mean(), "/"),
      absl::StrJoin(contract.std(), "/"));

  std::unique_ptr<Registration> registration;
  if (!flags.coordinator.empty()) {
    TeacherHeartbeatRequest heartbeat;
    heartbeat.set_name(flags.name);
    *heartbeat.mutable_build() = ThisBuild(TorchVersion());
    heartbeat.set_address(flags.advertise.empty() ? bound : flags.advertise);
    heartbeat.set_incarnation(absl::StrCat(getpid(), "-", absl::ToUnixNanos(Clock::Real()->Wall())));
    registration =
        std::make_unique<Registration>(flags.channels, flags.coordinator, heartbeat, &metrics, Clock::Real());
  }
  if (!flags.announce.empty()) {
    RETURN_IF_ERROR(Announce(flags.announce, {{"address", bound}, {"metrics_address", metrics_bound.ToString()}}));
  }
  while (!WaitForStopUntil(Clock::Real()->Now() + kLook)) {
    if (registration != nullptr) RETURN_IF_ERROR(registration->refusal());
  }
  spdlog::info("teacher stops name={}", flags.name);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  Flags flags;
  CLI::App app(
      "Serves features of a frozen encoder to the ranks of training jobs.\n"
      "Example: teacher_server --name dino --weights dino/model.safetensors --coordinator 10.0.0.1:7070 "
      "--listen 0.0.0.0:7071 --advertise gpu7:7071");
  app.set_version_flag("--version", VersionText(TorchVersion()));
  app.add_option("--name", flags.name, "name that jobs know this teacher by")->required();
  app.add_option("--weights", flags.weights, "safetensors file, or a folder that holds model.safetensors")->required();
  app.add_option("--listen", flags.listen, "HOST:PORT of the Teacher service; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--advertise", flags.advertise, "HOST:PORT at which ranks reach it; default: where it listens");
  app.add_option("--coordinator", flags.coordinator, "HOST:PORT to register at; default: registers nowhere");
  app.add_option("--metrics_listen", flags.metrics_listen, "HOST:PORT of /metrics")->capture_default_str();
  app.add_option("--announce", flags.announce, "file to write the bound addresses to, as JSON");
  app.add_option("--device", flags.device, "auto (the first CUDA device where there is one), cpu or cuda")
      ->capture_default_str();
  app.add_option("--precision", flags.precision, "of matrix products: fp32, bf16, or auto (bf16 on a GPU that has it)")
      ->capture_default_str();
  app.add_option("--threads", flags.threads, "compute threads; 0: all cores")->capture_default_str();
  app.add_option("--max_batch_images", flags.max_batch_images, "images in one forward pass")->capture_default_str();
  if (const auto code = ParseCommandLine(&app, argc, argv); code.has_value()) return *code;
  StartLogging("teacher_server");
  const absl::Status status = CatchTorch([&flags] { return Serve(flags); });
  if (status.ok()) return 0;
  spdlog::error("{}", status.ToString());
  const bool wrong_request =
      status.code() == absl::StatusCode::kInvalidArgument || status.code() == absl::StatusCode::kNotFound;
  return wrong_request ? 2 : 1;
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) {
  mimeo::SpinShortly(argv);
  return mimeo::Main(argc, argv);
}
