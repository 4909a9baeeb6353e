#include "client/run/run_cluster.h"

#include <signal.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/process.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/run/log_tail.h"

namespace mimeo {
namespace {

constexpr absl::Duration kStartPatience = absl::Seconds(60);
constexpr absl::Duration kAnnouncementWait = absl::Milliseconds(200);
constexpr absl::Duration kStopPatience = absl::Seconds(10);
constexpr absl::string_view kWorkerGrace = "6s";  // with the goodbye it ends within the patience

std::string Threads(int count) { return absl::StrCat(count, count == 1 ? " thread" : " threads"); }

}  // namespace

std::string CoreShares::ToString() const {
  std::string text =
      absl::StrCat(cores, cores == 1 ? " core: " : " cores: ", workers, workers == 1 ? " worker" : " workers", " with ",
                   Threads(threads_per_rank), workers == 1 ? "" : " each");
  if (teachers > 0) {
    absl::StrAppend(&text, ", ", teachers, teachers == 1 ? " teacher" : " teachers", " with ",
                    Threads(threads_per_teacher));
  }
  return text;
}

CoreShares ShareCores(int cores, int workers, int teachers) {
  CoreShares shares;
  shares.cores = std::max(cores, 1);
  shares.workers = std::max(workers, 1);
  shares.threads_per_rank = std::max(1, shares.cores / shares.workers);
  shares.teachers = teachers;
  shares.threads_per_teacher = shares.threads_per_rank;
  return shares;
}

absl::StatusOr<std::unique_ptr<RunCluster>> RunCluster::Start(const RunClusterOptions& options) {
  auto cluster = std::unique_ptr<RunCluster>(new RunCluster(options));
  RETURN_IF_ERROR(cluster->StartAll());
  return cluster;
}

absl::Status RunCluster::StartAll() {
  const std::string state = JoinPath(options_.dir, "cluster");
  RETURN_IF_ERROR(MakeDirs(state));
  RETURN_IF_ERROR(MakeDirs(JoinPath(options_.dir, "logs")));
  ASSIGN_OR_RETURN(address_, StartChild("coordinator", {"coordinator", "--listen=127.0.0.1:0",
                                                        absl::StrCat("--data_dir=", state, "/coordinator")}));
  for (const auto& [name, weights] : options_.teachers) {
    RETURN_IF_ERROR(StartChild(absl::StrCat("teacher-", name),
                               {"teacher_server", absl::StrCat("--name=", name), absl::StrCat("--weights=", weights),
                                "--listen=127.0.0.1:0", absl::StrCat("--coordinator=", address_),
                                absl::StrCat("--threads=", options_.shares.threads_per_teacher)})
                        .status());
  }
  for (int i = 0; i < options_.shares.workers; ++i) {
    const std::string id = absl::StrCat("w", i);
    RETURN_IF_ERROR(
        StartChild(id, {"worker", "agent", absl::StrCat("--coordinator=", address_), absl::StrCat("--id=", id),
                        "--slots=1", absl::StrCat("--first_device=", i), "--host=127.0.0.1",
                        absl::StrCat("--dir=", state, "/", id), absl::StrCat("--stop_grace=", kWorkerGrace)})
            .status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> RunCluster::StartChild(const std::string& name, std::vector<std::string> argv) {
  ASSIGN_OR_RETURN(argv[0], FindBinary(argv[0]));
  const std::string announcement = absl::StrCat(options_.dir, "/cluster/", name, ".json");
  RETURN_IF_ERROR(RemoveTree(announcement));
  argv.push_back("--announce=" + announcement);
  argv.push_back("--metrics_listen=127.0.0.1:0");
  Subprocess::Options process;
  process.argv = std::move(argv);
  process.output_path = absl::StrCat(options_.dir, "/logs/", name, ".log");
  ASSIGN_OR_RETURN(auto started, Subprocess::Start(process));
  children_.push_back({name, process.output_path, std::move(started)});
  const absl::Time deadline = Clock::Real()->Now() + kStartPatience;
  while (true) {
    const auto announced = ReadAnnouncement(announcement, kAnnouncementWait);
    if (announced.ok()) {
      const auto address = announced->find("address");
      return address == announced->end() ? "" : address->second;
    }
    RETURN_IF_ERROR(CheckAlive());
    if (options_.stop_wanted()) return absl::CancelledError("stopped while the processes were starting");
    if (Clock::Real()->Now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat(name, " did not start within ", absl::FormatDuration(kStartPatience), "; its log ",
                       ToText(children_.back().log), " ends:", LogTail(children_.back().log)));
    }
  }
}

absl::Status RunCluster::CheckAlive() {
  for (Child& child : children_) {
    if (child.process->running()) continue;
    const auto how = child.process->Wait(Clock::Real()->Now());
    return absl::InternalError(absl::StrCat(child.name, " ", how.ok() ? how->ToString() : "ended", "; its log ",
                                            ToText(child.log), " ends:", LogTail(child.log)));
  }
  return absl::OkStatus();
}

void RunCluster::Stop() {
  // Workers last started are first stopped; the coordinator goes last and hears of it all.
  for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
    child->process->Signal(SIGTERM);
    if (child->process->Wait(Clock::Real()->Now() + kStopPatience).ok()) continue;
    child->process->Signal(SIGKILL);
    child->process->Wait(Clock::Real()->Now() + kStopPatience).IgnoreError();
  }
  children_.clear();
}

void RunCluster::Kill() {
  for (const Child& child : children_) child.process->Signal(SIGKILL);
  for (const Child& child : children_) child.process->Wait(Clock::Real()->Now() + kStopPatience).IgnoreError();
  children_.clear();
}

RunCluster::~RunCluster() { Stop(); }

}  // namespace mimeo
