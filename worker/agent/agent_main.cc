#include "worker/agent/agent_main.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/devices.h"
#include "base/find_binary.h"
#include "base/limits.h"
#include "base/metrics_server.h"
#include "base/process.h"
#include "base/rpc/channel_options.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "base/version.h"
#include "spdlog/spdlog.h"
#include "worker/agent/agent.h"

namespace mimeo {
namespace {

constexpr char kRankBinary[] = "worker_compute";
// libtorch and NVIDIA's libraries are gigabytes, and a cold disk reads them all.
constexpr absl::Duration kCudaPatience = absl::Minutes(2);

struct AgentFlags {
  std::string coordinator;
  std::string id;
  int slots = 1;
  int first_device = 0;
  std::string host = "127.0.0.1";
  std::string dir;
  std::string metrics_listen = "127.0.0.1:0";
  std::string announce;
  std::string device = "auto";
  std::string patience = "60s";
  std::string stop_grace = "25s";
  ChannelOptions channels;
};

void AddFlags(CLI::App* app, AgentFlags* flags) {
  app->add_option("--coordinator", flags->coordinator, "The coordinator's HOST:PORT")->required();
  app->add_option("--id", flags->id, "This worker's name in the cluster: [A-Za-z0-9_.-]{1,64}")->required();
  app->add_option("--slots", flags->slots, "Rank processes that it may run at one time (default 1)")
      ->check(CLI::Range(1, limits::kSlotsPerWorker));
  app->add_option(
         "--first_device", flags->first_device,
         "Which of this host's GPUs its first slot takes; slot i takes the i-th after it. For several agents on "
         "one host (default 0)")
      ->check(CLI::Range(0, limits::kSlotsPerWorker));
  app->add_option("--host", flags->host,
                  "The address of this host by which the gang's other hosts reach it (default 127.0.0.1)");
  app->add_option("--dir", flags->dir, "Start files, logs and the socket of its ranks; one agent at a time")
      ->required();
  app->add_option("--metrics_listen", flags->metrics_listen,
                  "HOST:PORT of /metrics; port 0 takes a free one (default 127.0.0.1:0)");
  app->add_option("--announce", flags->announce, "Write the bound ports to this file, as JSON");
  app->add_option("--device", flags->device, "auto (CUDA where there is one), cpu or cuda");
  app->add_option("--patience", flags->patience,
                  "A rank that does not move for so long is taken for hung and killed; longer for one that computes, "
                  "waits for its gang, or was "
                  "slower before (default 60s)");
  app->add_option("--stop_grace", flags->stop_grace,
                  "On SIGTERM or SIGINT: how long its ranks may take to finish their step and save a checkpoint, "
                  "before they are killed. Less than "
                  "what the supervisor allows (Kubernetes: 30s); mimeo_worker_stop_need_seconds says what it would "
                  "take. A second signal ends the "
                  "grace (default 25s)");
  app->footer(
      "Example:\n  worker agent --coordinator=10.0.0.1:7070 --id=gpu-7 --slots=8 --host=10.0.0.7 "
      "--dir=/var/lib/mimeo/worker");
}

// No libtorch is here to try it with, so the ranks' own binary does.
absl::Status CudaLoads() {
  ASSIGN_OR_RETURN(const std::string rank_binary, FindBinary(kRankBinary));
  std::string why;
  Subprocess::Options child;
  child.argv = {rank_binary, "try_cuda"};
  child.on_stderr = [&why](absl::string_view piece) { why.append(piece.data(), piece.size()); };
  ASSIGN_OR_RETURN(const std::unique_ptr<Subprocess> process, Subprocess::Start(child));
  ASSIGN_OR_RETURN(const ExitStatus end, process->Wait(Clock::Real()->Now() + kCudaPatience));
  if (end.ok()) return absl::OkStatus();
  why = ToLines(absl::StripAsciiWhitespace(why));
  return absl::FailedPreconditionError(
      why.empty() ? absl::StrCat("CUDA cannot be tried: ", rank_binary, " ", end.ToString()) : why);
}

absl::StatusOr<absl::Duration> DurationOf(absl::string_view flag, const std::string& text, absl::Duration least) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && duration >= least && duration < absl::InfiniteDuration()) return duration;
  return absl::InvalidArgumentError(absl::StrCat(flag, ": \"", ToText(text), "\" is not a duration of ",
                                                 absl::FormatDuration(least), " or more, such as 60s"));
}

// What travels to the coordinator: bytes that are no text would make every call fail.
absl::Status CheckTexts(const AgentFlags& flags) {
  for (const auto& [flag, text] : {std::pair("--id", flags.id), std::pair("--host", flags.host)}) {
    if (!IsUtf8(text)) return absl::InvalidArgumentError(absl::StrCat(flag, ": \"", ToText(text), "\" is not UTF-8"));
  }
  return absl::OkStatus();
}

absl::StatusOr<AgentOptions> OptionsOf(const AgentFlags& flags) {
  RETURN_IF_ERROR(CheckTexts(flags));
  AgentOptions options;
  ASSIGN_OR_RETURN(options.ranks.patience, DurationOf("--patience", flags.patience, absl::Seconds(1)));
  ASSIGN_OR_RETURN(options.stop_grace, DurationOf("--stop_grace", flags.stop_grace, absl::ZeroDuration()));
  ASSIGN_OR_RETURN(const Address coordinator, ParseAddress("--coordinator", flags.coordinator, AddressUse::kCall));
  options.coordinator_address = coordinator.ToString();
  options.channels = flags.channels;
  options.identity.set_id(flags.id);
  options.identity.set_slots(flags.slots);
  options.identity.set_host(flags.host);
  *options.identity.mutable_build() = ThisBuild();
  ASSIGN_OR_RETURN(const std::vector<DeviceInfo> devices, FindDevices(flags.device, CudaLoads));
  for (DeviceInfo device : FromDevice(devices, flags.first_device)) {
    device.set_name(ToText(device.name(), limits::kNameBytes));
    *options.identity.add_devices() = device;
  }
  options.dir = flags.dir;
  return options;
}

absl::Status Run(const AgentFlags& flags) {
  ASSIGN_OR_RETURN(AgentOptions options, OptionsOf(flags));
  ASSIGN_OR_RETURN(const Address metrics_listen,
                   ParseAddress("--metrics_listen", flags.metrics_listen, AddressUse::kListen));
  Metrics metrics(MetricOwner::kWorker);
  ASSIGN_OR_RETURN(const Address metrics_bound, metrics.Serve(metrics_listen));
  const std::string metrics_address = metrics_bound.ToString();
  ASSIGN_OR_RETURN(options.rank_binary, FindBinary(kRankBinary));
  ASSIGN_OR_RETURN(const std::unique_ptr<WorkerAgent> agent, WorkerAgent::Start(options, &metrics));
  spdlog::info("agent started worker={} slots={} coordinator={} metrics={}", flags.id, flags.slots, flags.coordinator,
               metrics_address);
  if (!flags.announce.empty()) RETURN_IF_ERROR(Announce(flags.announce, {{"metrics_address", metrics_address}}));
  int signals = 0;
  while (agent->status().ok() && !agent->left() && signals < 3) {
    // Coarse while it serves; a supervisor waits for the end.
    const absl::Duration look = signals == 0 ? absl::Seconds(1) : absl::Milliseconds(20);
    if (!WaitForStopUntil(Clock::Real()->Now() + look)) continue;
    const absl::Duration grace = ++signals == 1 ? options.stop_grace : absl::ZeroDuration();
    spdlog::info("agent stops worker={} grace={}", flags.id, absl::FormatDuration(grace));
    agent->Leave(grace);
  }
  return agent->status();
}

}  // namespace

std::vector<DeviceInfo> FromDevice(std::vector<DeviceInfo> devices, int first) {
  if (!devices.empty()) std::rotate(devices.begin(), devices.begin() + first % devices.size(), devices.end());
  return devices;
}

int RunAgent(int argc, char** argv) {
  AgentFlags flags;
  CLI::App app("Runs the rank processes that the coordinator assigns to this host.", "worker agent");
  AddFlags(&app, &flags);
  app.set_version_flag("--version", VersionText());
  if (const auto code = ParseCommandLine(&app, argc, argv); code.has_value()) return *code;
  BlockStopSignals();
  StartLogging(absl::StrCat("worker.", flags.id));
  spdlog::info("{}", VersionText());
  const absl::Status status = Run(flags);
  if (status.ok()) return 0;
  spdlog::error("agent failed error=\"{}\"", status.ToString());
  return absl::IsInvalidArgument(status) ? 2 : 1;
}

}  // namespace mimeo
