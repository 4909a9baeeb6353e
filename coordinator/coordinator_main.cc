// The coordinator process: one RocksDB directory, three services on one port, /metrics on another.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/command_line.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/metrics_server.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "coordinator/chunk_service.h"
#include "coordinator/cluster_service.h"
#include "coordinator/coordinator.h"
#include "coordinator/coordinator_service.h"
#include "coordinator/repair.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

constexpr absl::Duration kTickPeriod = absl::Seconds(1);
constexpr absl::Duration kGrace = absl::Seconds(2);

struct Flags {
  std::string listen = "127.0.0.1:7070";
  std::string data_dir;
  std::string metrics_listen = "127.0.0.1:0";
  std::string announce;
  std::string lease = absl::FormatDuration(limits::kLease);
  std::string data_patience = absl::FormatDuration(limits::kDataPatience);
  bool repair = false;
  ChannelOptions channels;
};

absl::StatusOr<absl::Duration> ParseDuration(const std::string& flag, const std::string& text) {
  absl::Duration duration;
  if (absl::ParseDuration(text, &duration) && duration >= absl::Seconds(1)) return duration;
  return absl::InvalidArgumentError(
      absl::StrCat("--", flag, ": \"", text, "\" is not a duration of 1s or more, such as 60s"));
}

// What a person can do about a store that cannot be read.
absl::Status WithAdvice(const absl::Status& status, const std::string& data_dir) {
  if (!absl::IsDataLoss(status)) return status;
  return absl::DataLossError(
      absl::StrCat(status.message(), "; nothing was changed. Restore ", data_dir,
                   " from a backup, or set aside what cannot be read: coordinator --repair --data_dir ", data_dir));
}

// Serves until a stop signal comes.
absl::Status Serve(const Flags& flags) {
  ASSIGN_OR_RETURN(const Address listen, ParseAddress("--listen", flags.listen, AddressUse::kListen));
  ASSIGN_OR_RETURN(const Address metrics_listen,
                   ParseAddress("--metrics_listen", flags.metrics_listen, AddressUse::kListen));
  SchedulerOptions options;
  ASSIGN_OR_RETURN(options.lease, ParseDuration("lease", flags.lease));
  ASSIGN_OR_RETURN(options.data_patience, ParseDuration("data_patience", flags.data_patience));
  RETURN_IF_ERROR(MakeDirs(flags.data_dir));
  const absl::StatusOr<std::unique_ptr<KeyValueStore>> store = OpenRocksDbStore({flags.data_dir});
  if (!store.ok()) return WithAdvice(store.status(), flags.data_dir);
  Metrics exported(MetricOwner::kCoordinator);
  CoordinatorMetrics metrics(&exported);
  CoordinatorCore core(store->get(), Clock::Real(), &metrics, options);
  RETURN_IF_ERROR(WithAdvice(core.Recover(), flags.data_dir));
  core.Tick();

  CoordinatorService coordinator_service(&core);
  ClusterService cluster_service(&core);
  ChunkService chunk_service(&core);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<RpcServer> server,
      RpcServer::Start(flags.channels, listen.ToString(), {&coordinator_service, &cluster_service, &chunk_service}));
  ASSIGN_OR_RETURN(const Address metrics_bound, exported.Serve(metrics_listen));
  const std::string address = listen.WithPort(server->port()).ToString();
  const std::string metrics_address = metrics_bound.ToString();
  spdlog::info("{}", VersionText());
  spdlog::info("listening address={} metrics={} data_dir={}", address, metrics_address, flags.data_dir);
  if (!flags.announce.empty()) {
    RETURN_IF_ERROR(Announce(flags.announce, {{"address", address}, {"metrics_address", metrics_address}}));
  }
  while (!WaitForStopUntil(Clock::Real()->Now() + kTickPeriod)) core.Tick();
  spdlog::info("stopping");
  core.Close();  // ends the watchers' streams, which would keep the server up
  server->Shutdown(kGrace);
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  StartLogging("coordinator");
  Flags flags;
  CLI::App app(
      "Mimeo's coordinator: queues jobs, places gangs, keeps checkpoints and metrics.\n"
      "Example: coordinator --listen 0.0.0.0:7070 --data_dir /var/lib/mimeo");
  app.set_version_flag("--version", VersionText());
  app.add_option("--listen", flags.listen, "HOST:PORT for clients, workers and teachers; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--data_dir", flags.data_dir, "directory of everything that it remembers; one coordinator only")
      ->required();
  app.add_option("--metrics_listen", flags.metrics_listen, "HOST:PORT of /metrics")->capture_default_str();
  app.add_option("--announce", flags.announce, "file to write the bound addresses to, as JSON");
  app.add_option("--lease", flags.lease, "silence of a worker after which its gang may be replaced")
      ->capture_default_str();
  app.add_option("--data_patience", flags.data_patience,
                 "how long a gang waits for data that its host does not see, before it moves to one that has room")
      ->capture_default_str();
  app.add_flag(
      "--repair", flags.repair,
      "no serving: makes a damaged --data_dir one that can be started, says what is lost, and keeps the damaged files");
  if (const auto code = ParseCommandLine(&app, argc, argv); code.has_value()) return *code;
  const absl::Status done =
      flags.repair ? RepairStore(flags.data_dir, [](const std::string& line) { std::cout << line << std::endl; })
                   : Serve(flags);
  if (done.ok()) return 0;
  spdlog::critical("{}", done.ToString());
  return absl::IsInvalidArgument(done) ? 2 : 1;
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) { return mimeo::Main(argc, argv); }
