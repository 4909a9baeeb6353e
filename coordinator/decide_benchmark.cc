// What deciding costs a large cluster: the coordinator's own methods, as its services call them, on a store in memory.
//
//   bazel run -c opt //coordinator:decide_benchmark -- [--workers=10000] [--jobs=50000] [--seconds=60] [--case=NAME]
//
// Cases: `fit` (jobs of one rank: as many as there are slots run, the others wait), `too_large` (every job wants more
// CUDA workers than there are, in a thousand sizes), `mixed` (those by turns, with priorities, gangs and teachers that
// are not there). In each simulated second every worker beats once, ten jobs come, a hundred ranks complete and the
// newest thousand jobs are listed, each with its reason; then comes the tick, which decides. Submit, Heartbeat and
// ListJobs hold the coordinator's lock for nearly all of their time, so each is measured whole; the first tick of all
// also cuts the journal, which it does without the lock. What a tick does to others is measured by heartbeats that are
// sent while every tenth runs, the first among them. Prints one JSON object for each case.
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/metrics_server.h"
#include "base/status_macros.h"
#include "base/testing/fake_clock.h"
#include "coordinator/coordinator.h"
#include "coordinator/coordinator_metrics.h"
#include "coordinator/testing/cluster_script.h"
#include "store/rocksdb_store.h"

namespace mimeo {
namespace {

constexpr int kCudaWorkers = 100;

struct Flags {
  int workers = 10000;
  int jobs = 50000;
  int seconds = 60;
  std::string only;
};

// Times of one kind of call.
class Times {
 public:
  template <typename Body>
  auto Measure(const Body& body) {
    const absl::Time begin = Clock::Real()->Now();
    auto result = body();
    seconds_.push_back(absl::ToDoubleSeconds(Clock::Real()->Now() - begin));
    return result;
  }
  nlohmann::json Summary() {
    std::sort(seconds_.begin(), seconds_.end());
    const auto at = [&](double part) {
      return seconds_.empty() ? 0
                              : 1e3 * seconds_[static_cast<size_t>(part * static_cast<double>(seconds_.size() - 1))];
    };
    return {{"calls", seconds_.size()}, {"p50_ms", at(0.5)}, {"p99_ms", at(0.99)}, {"max_ms", at(1)}};
  }

 private:
  std::vector<double> seconds_;
};

class Cluster {
 public:
  Cluster(const Flags& flags, const std::string& name, KeyValueStore* store)
      : flags_(flags),
        name_(name),
        exported_(MetricOwner::kCoordinator),
        metrics_(&exported_),
        core_(store, &clock_, &metrics_, SchedulerOptions()) {}

  absl::Status Fill() {
    RETURN_IF_ERROR(core_.Recover());
    for (int i = 0; i < flags_.workers; ++i) {
      WorkerIdentity worker;
      worker.set_id(absl::StrCat("w", i));
      worker.set_incarnation("1");
      worker.set_slots(1);
      *worker.mutable_build() = ThisBuild();
      if (i < kCudaWorkers) worker.add_devices()->set_device(DEVICE_CUDA);
      RETURN_IF_ERROR(core_.RegisterWorker(worker));
    }
    for (int i = 0; i < flags_.jobs - 10 * flags_.seconds; ++i) RETURN_IF_ERROR(SubmitNext(&fill_));
    return absl::OkStatus();
  }

  absl::Status Run() {
    for (int second = 0; second < flags_.seconds; ++second) {
      clock_.Advance(absl::Seconds(1));
      int completing = 100;
      for (int i = 0; i < flags_.workers; ++i) {
        // Elsewhere in each second, so that all workers have their turn.
        RETURN_IF_ERROR(Beat((i + 997 * second) % flags_.workers, &completing, &heartbeat_));
      }
      for (int i = 0; i < 10; ++i) RETURN_IF_ERROR(SubmitNext(&submit_));
      ListJobsRequest newest;
      newest.set_page_size(limits::kPageItems);
      newest.set_without_specs(true);
      RETURN_IF_ERROR(list_.Measure([&] { return core_.ListJobs(newest); }).status());
      if (second % 10 == 0) {
        RETURN_IF_ERROR(TickBesideBeats());
      } else {
        tick_.Measure([&] { return core_.Tick(), 0; });
      }
    }
    return absl::OkStatus();
  }

  nlohmann::json Summary() {
    return {{"case", name_},
            {"workers", flags_.workers},
            {"jobs", flags_.jobs},
            {"fill_submit", fill_.Summary()},
            {"tick", tick_.Summary()},
            {"submit", submit_.Summary()},
            {"heartbeat", heartbeat_.Summary()},
            {"list", list_.Summary()},
            {"tick_beside_beats", tick_beside_beats_.Summary()},
            {"heartbeat_in_tick", beat_in_tick_.Summary()}};
  }

 private:
  absl::Status SubmitNext(Times* times) {
    const int number = submitted_++;
    const bool too_large = name_ == "too_large" || (name_ == "mixed" && number % 3 == 0);
    SubmitRequest request;
    request.set_request_id(absl::StrCat("r", number));
    JobSpec& spec = *request.mutable_spec();
    const int ranks = too_large                             ? kCudaWorkers + 1 + number % 1000
                      : name_ == "mixed" && number % 3 == 1 ? 1 + number % 64
                                                            : 1;
    spec = testing::ScriptJob(ranks);
    if (too_large) spec.mutable_resources()->set_device(DEVICE_CUDA);
    if (name_ == "mixed") spec.mutable_resources()->set_priority(number % 5);
    if (name_ == "mixed" && number % 7 == 0) {
      spec.add_objective()->mutable_mimic()->set_teacher(absl::StrCat("t", number % 10));
    }
    return times->Measure([&] { return core_.Submit(request); }).status();
  }

  // Workers go on beating while it runs.
  absl::Status TickBesideBeats() {
    absl::Notification done;
    std::thread ticker([&] {
      tick_beside_beats_.Measure([&] { return core_.Tick(), 0; });
      done.Notify();
    });
    absl::Status status;
    int none_completes = 0;
    for (int i = 0; status.ok() && !done.HasBeenNotified(); ++i) {
      status = Beat(i % flags_.workers, &none_completes, &beat_in_tick_);
    }
    ticker.join();
    return status;
  }

  // What is named is trained; the first `*completing` gangs of one rank say that they are done.
  absl::Status Beat(int worker, int* completing, Times* times) {
    HeartbeatRequest request;
    request.set_worker_id(absl::StrCat("w", worker));
    request.set_incarnation("1");
    for (RankStatus& status : statuses_[worker]) {
      if (*completing > 0 && status.num_samples() == 1) {
        --*completing;
        status.set_phase(RANK_PHASE_COMPLETED);
      }
      status.set_step(status.step() + 1);
      *request.add_ranks() = status;
    }
    ASSIGN_OR_RETURN(const HeartbeatReply reply, times->Measure([&] { return core_.Heartbeat(request); }));
    std::vector<RankStatus> named;
    for (const GangOrder& order : reply.gangs()) {
      for (const int rank : order.ranks()) {
        RankStatus& status = named.emplace_back();
        status.set_job_id(order.common().job_id());
        status.set_generation(order.common().generation());
        status.set_rank(rank);
        status.set_phase(RANK_PHASE_TRAINING);
        status.set_dataset_digest("d");
        status.set_num_samples(order.common().num_ranks());
      }
    }
    statuses_[worker] = std::move(named);
    return absl::OkStatus();
  }

  const Flags& flags_;
  const std::string name_;
  testing::FakeClock clock_;
  Metrics exported_;
  CoordinatorMetrics metrics_;
  CoordinatorCore core_;
  int submitted_ = 0;
  std::map<int, std::vector<RankStatus>> statuses_;  // of each worker's ranks
  Times fill_, tick_, submit_, heartbeat_, list_, tick_beside_beats_, beat_in_tick_;
};

absl::Status Benchmark(const Flags& flags) {
  for (const std::string name : {"fit", "too_large", "mixed"}) {
    if (!flags.only.empty() && name != flags.only) continue;
    ASSIGN_OR_RETURN(const std::unique_ptr<KeyValueStore> store, OpenRocksDbStore({name, true}));
    Cluster cluster(flags, name, store.get());
    RETURN_IF_ERROR(cluster.Fill());
    RETURN_IF_ERROR(cluster.Run());
    std::printf("%s\n", cluster.Summary().dump().c_str());
    std::fflush(stdout);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  spdlog::set_level(spdlog::level::warn);
  Flags flags;
  CLI::App app("What deciding costs a large cluster.");
  app.add_option("--workers", flags.workers)->capture_default_str();
  app.add_option("--jobs", flags.jobs)->capture_default_str();
  app.add_option("--seconds", flags.seconds)->capture_default_str();
  app.add_option("--case", flags.only, "fit, too_large or mixed; all when it is not given");
  CLI11_PARSE(app, argc, argv);
  const absl::Status done = Benchmark(flags);
  if (!done.ok()) std::fprintf(stderr, "%s\n", done.ToString().c_str());
  return done.ok() ? 0 : 1;
}

}  // namespace
}  // namespace mimeo

int main(int argc, char** argv) { return mimeo::Main(argc, argv); }
