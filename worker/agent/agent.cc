#include "worker/agent/agent.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log_limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "proto/agent.grpc.pb.h"
#include "spdlog/spdlog.h"
#include "worker/agent/agent_dir.h"
#include "worker/agent/coordinator_session.h"
#include "worker/agent/log_piece.h"
#include "worker/agent/rank_launch.h"
#include "worker/agent/rank_metrics.h"

namespace mimeo {
namespace {

constexpr absl::Duration kWatchPeriod = absl::Milliseconds(50);
constexpr absl::string_view kStopNeedMetric = "mimeo_worker_stop_need_seconds";

WorkerIdentity NewIncarnation(WorkerIdentity identity) {
  identity.set_incarnation(absl::StrCat(absl::Hex(absl::ToUnixNanos(Clock::Real()->Wall())), "-", getpid()));
  return identity;
}

RankTableOptions TableOptions(const AgentOptions& options) {
  RankTableOptions table = options.ranks;
  table.slots = options.identity.slots();
  return table;
}

RankLaunchOptions LaunchOptions(const AgentOptions& options, const AgentDir& dir) {
  RankLaunchOptions launch;
  launch.rank_binary = options.rank_binary;
  launch.dir = options.dir;
  launch.agent_address = dir.socket_address();
  launch.coordinator_address = options.coordinator_address;
  launch.host = options.identity.host();
  for (const DeviceInfo& device : options.identity.devices()) {
    if (device.device() == DEVICE_CUDA) launch.cuda_devices.push_back(device.uuid());
  }
  return launch;
}

class HostAgent : public WorkerAgent, private Agent::Service {
 public:
  HostAgent(const AgentOptions& options, std::unique_ptr<AgentDir> dir, Metrics* metrics)
      : options_(options),
        dir_(std::move(dir)),
        launch_(LaunchOptions(options, *dir_)),
        metrics_(metrics),
        session_(options.channels, options.coordinator_address, NewIncarnation(options.identity)),
        table_(TableOptions(options)) {
    metrics_->Set("mimeo_worker_slots", options.identity.slots());
  }

  ~HostAgent() override {
    {
      absl::MutexLock lock(&mu_);
      closing_ = true;
      new_orders_ = true;
      table_.Shutdown();
    }
    session_.Cancel();
    if (heartbeats_.joinable()) heartbeats_.join();
    if (watch_.joinable()) watch_.join();  // after the last rank
    server_.reset();
  }

  absl::Status Serve() {
    ASSIGN_OR_RETURN(server_, RpcServer::Start(options_.channels, dir_->socket_address(), {this}));
    heartbeats_ = std::thread([this] { HeartbeatLoop(); });
    watch_ = std::thread([this] { WatchLoop(); });
    return absl::OkStatus();
  }

  void Leave(absl::Duration grace) override ABSL_LOCKS_EXCLUDED(mu_) {
    {
      absl::MutexLock lock(&mu_);
      leaving_ = true;
      new_orders_ = true;
      interrupted_ = true;
      grace_over_ = std::min(grace_over_, Clock::Real()->Now() + grace);
      table_.StopAfterCheckpoint();
    }
    session_.Interrupt();  // a call that waits for a coordinator that is away would hold up the news
  }

  bool left() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return left_;
  }

  std::vector<RankStatus> Ranks() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return table_.Statuses(Clock::Real()->Now());
  }

  absl::Status status() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return status_;
  }

 private:
  grpc::Status ReportRank(grpc::ServerContext* context, const ReportRankRequest* request,
                          ReportRankReply* reply) override ABSL_LOCKS_EXCLUDED(mu_);
  bool Hurries() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closing_ || (leaving_ && table_.Idle()); }
  bool HasNews() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closing_ || table_.news() > news_sent_; }
  bool HasOrders() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return new_orders_; }

  void HeartbeatLoop() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status HeartbeatOnce() ABSL_LOCKS_EXCLUDED(mu_);
  void SendLogs(const std::vector<LogWish>& wishes) ABSL_LOCKS_EXCLUDED(mu_);
  void SayGoodbye() ABSL_LOCKS_EXCLUDED(mu_);
  bool WasInterrupted() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return std::exchange(interrupted_, false);
  }
  bool AwaitNextBeat(bool away, absl::Duration pause, absl::Time begin) ABSL_LOCKS_EXCLUDED(mu_);
  void WarnOfStopNeed(const RankKey& key, const ReportRankRequest& report) ABSL_LOCKS_EXCLUDED(mu_);

  void WatchLoop() ABSL_LOCKS_EXCLUDED(mu_);
  void Reap() ABSL_LOCKS_EXCLUDED(mu_);
  void Act(const RankAction& action) ABSL_LOCKS_EXCLUDED(mu_);
  void StartRank(const RankAction& action) ABSL_LOCKS_EXCLUDED(mu_);
  void Forget(const RankKey& key) ABSL_LOCKS_EXCLUDED(mu_);

  const AgentOptions options_;
  const std::unique_ptr<AgentDir> dir_;
  const RankLaunchOptions launch_;
  Metrics* const metrics_;
  CoordinatorSession session_;

  mutable absl::Mutex mu_;
  RankTable table_ ABSL_GUARDED_BY(mu_);
  absl::Status status_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  bool leaving_ ABSL_GUARDED_BY(mu_) = false;
  bool interrupted_ ABSL_GUARDED_BY(mu_) = false;
  bool left_ ABSL_GUARDED_BY(mu_) = false;
  absl::Time grace_over_ ABSL_GUARDED_BY(mu_) = absl::InfiniteFuture();
  std::map<RankKey, double> stop_needs_warned_ ABSL_GUARDED_BY(mu_);  // seconds
  bool new_orders_ ABSL_GUARDED_BY(mu_) = false;                      // the watch should look at once
  int64_t news_sent_ ABSL_GUARDED_BY(mu_) = 0;                        // table_.news() that the newest heartbeat carried

  std::map<RankKey, std::unique_ptr<Subprocess>> children_;  // of the watch thread alone
  std::unique_ptr<RpcServer> server_;
  std::thread heartbeats_;
  std::thread watch_;
};

grpc::Status HostAgent::ReportRank(grpc::ServerContext* context, const ReportRankRequest* request,
                                   ReportRankReply* reply) {
  const RankKey key = KeyOf(request->status());
  {
    absl::MutexLock lock(&mu_);
    if (!table_.Reported(*request, Clock::Real()->Now())) {
      return ToGrpc(absl::NotFoundError(absl::StrCat(ToString(key), " is not a rank of this agent")));
    }
    *reply->mutable_assignment() = *table_.assignment(key);
  }
  ExportRankMetrics(*request, metrics_);
  WarnOfStopNeed(key, *request);
  return grpc::Status::OK;
}

// Once, and again when it has grown by half.
void HostAgent::WarnOfStopNeed(const RankKey& key, const ReportRankRequest& report) {
  for (const MetricSample& sample : report.metrics()) {
    if (sample.name() != kStopNeedMetric || absl::Seconds(sample.value()) <= options_.stop_grace) continue;
    {
      absl::MutexLock lock(&mu_);
      double& warned = stop_needs_warned_[key];
      if (sample.value() <= 1.5 * warned) continue;
      warned = sample.value();
    }
    spdlog::warn(
        "a stop of this worker would cost steps rank={}: finishing its step and a checkpoint take {:.1f} s, and "
        "--stop_grace={}",
        ToString(key), sample.value(), absl::FormatDuration(options_.stop_grace));
  }
}

void HostAgent::HeartbeatLoop() {
  Backoff backoff;
  bool away = false;
  while (true) {
    const absl::Time begin = Clock::Real()->Now();
    const absl::Status status = HeartbeatOnce();
    if (absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status)) {
      spdlog::error("the coordinator refuses this worker error=\"{}\"", status.ToString());
      absl::MutexLock lock(&mu_);
      status_ = status;
      return;
    }
    if (absl::IsCancelled(status) && WasInterrupted()) continue;  // by Leave, to say so at once
    if (status.ok() == away) {
      spdlog::warn("coordinator {} status=\"{}\"", away ? "is back" : "is away", status.ToString());
    }
    away = !status.ok();
    if (!away) backoff.Reset();
    if (!AwaitNextBeat(away, away ? backoff.Next() : options_.heartbeat_period, begin)) return;
  }
}

// False: there is none; the agent closes, or has left.
bool HostAgent::AwaitNextBeat(bool away, absl::Duration pause, absl::Time begin) {
  const auto over = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return leaving_ && table_.Idle() && (away || news_sent_ == table_.news());
  };
  {
    absl::MutexLock lock(&mu_);
    if (away) {  // nothing is stopped; the ranks train on
      Clock::Real()->Await(&mu_, absl::Condition(this, &HostAgent::Hurries), Clock::Real()->Now() + pause);
    } else if (!over()) {
      Clock::Real()->Await(&mu_, absl::Condition(this, &HostAgent::HasNews), begin + pause);
    }
    if (closing_) return false;
    if (!over()) return true;
  }
  SayGoodbye();
  return false;
}

void HostAgent::SayGoodbye() {
  const absl::Status heard = session_.LeaveCluster(Ranks());
  if (!heard.ok()) spdlog::warn("the coordinator did not hear this worker's goodbye error=\"{}\"", heard.ToString());
  absl::MutexLock lock(&mu_);
  left_ = true;
}

absl::Status HostAgent::HeartbeatOnce() {
  std::vector<RankStatus> ranks;
  int64_t news = 0;
  bool leaving = false;
  {
    absl::MutexLock lock(&mu_);
    ranks = table_.Statuses(Clock::Real()->Now());
    news = table_.news();
    leaving = leaving_;
  }
  const absl::Time begin = Clock::Real()->Now();
  const auto orders = session_.Beat(ranks, leaving);
  if (!orders.ok()) {
    metrics_->Add("mimeo_worker_heartbeat_failures_total");
    return orders.status();
  }
  metrics_->Observe("mimeo_worker_heartbeat_seconds", absl::ToDoubleSeconds(Clock::Real()->Now() - begin));
  {
    absl::MutexLock lock(&mu_);
    table_.Assign(orders->assignments);
    news_sent_ = news;
    new_orders_ = true;
  }
  SendLogs(orders->logs);
  return absl::OkStatus();
}

// A few of them: a person who reads must not keep the next heartbeat waiting.
void HostAgent::SendLogs(const std::vector<LogWish>& wishes) {
  std::vector<LogPiece> pieces;
  for (const LogWish& wish : wishes) {
    if (pieces.size() == limits::kLogPiecesPerBeat) break;
    bool ended = false;
    {
      absl::MutexLock lock(&mu_);
      const RankStatus* status = table_.status({wish.job_id(), wish.generation(), wish.rank()});
      ended = status == nullptr || status->phase() == RANK_PHASE_COMPLETED || status->phase() == RANK_PHASE_STOPPED ||
              status->phase() == RANK_PHASE_FAILED;
    }
    pieces.push_back(ReadLogPiece(options_.dir, wish, ended));
  }
  if (pieces.empty()) return;
  const absl::Status sent = session_.SendLogs(pieces);
  if (!sent.ok()) spdlog::warn("logs not sent pieces={} error=\"{}\"", pieces.size(), sent.ToString());
}

void HostAgent::WatchLoop() {
  absl::Time logs_bounded = absl::InfinitePast();
  while (true) {
    Reap();
    const absl::Time now = Clock::Real()->Now();
    std::vector<RankAction> actions;
    {
      absl::MutexLock lock(&mu_);
      new_orders_ = false;
      if (now >= grace_over_) table_.Shutdown();
      actions = table_.Reconcile(now);
    }
    for (const RankAction& action : actions) Act(action);
    if (now - logs_bounded > absl::Seconds(1)) {
      logs_bounded = now;
      for (const auto& [key, child] : children_) BoundRankLog(RankLogPath(options_.dir, key));
    }
    metrics_->Set("mimeo_worker_slots_busy", static_cast<double>(children_.size()));
    absl::MutexLock lock(&mu_);
    if (closing_ && table_.Idle()) {
      // Whoever does not die of SIGKILL cannot be waited for.
      for (auto& [key, child] : children_) static_cast<void>(child.release());
      return;
    }
    Clock::Real()->Await(&mu_, absl::Condition(this, &HostAgent::HasOrders), now + kWatchPeriod);
  }
}

void HostAgent::Reap() {
  for (auto it = children_.begin(); it != children_.end();) {
    const RankKey key = it->first;
    Subprocess& child = *it->second;
    if (child.running()) {
      ++it;
      continue;
    }
    const auto exit = child.Wait(absl::InfinitePast());
    it = children_.erase(it);
    if (!exit.ok()) continue;  // it has ended, so it does not time out
    const std::string tail = LogTail(RankLogPath(options_.dir, key));
    absl::MutexLock lock(&mu_);
    table_.Ended(key, *exit, tail);
    stop_needs_warned_.erase(key);
    spdlog::info("rank ended rank={} how=\"{}\"", ToString(key), exit->ToString());
    const RankStatus* status = table_.status(key);
    if (status != nullptr && status->phase() == RANK_PHASE_FAILED) {
      spdlog::warn("rank failed rank={} error=\"{}\"", ToString(key), status->message());
      metrics_->Add("mimeo_worker_rank_failures_total");
    }
  }
}

void HostAgent::Act(const RankAction& action) {
  if (action.kind == RankAction::Kind::kStart) return StartRank(action);
  if (action.kind == RankAction::Kind::kForget) return Forget(action.key);
  spdlog::warn("rank is killed rank={} reason=\"{}\"", ToString(action.key), action.reason);
  if (action.hang) metrics_->Add("mimeo_worker_rank_hangs_total");
  const auto child = children_.find(action.key);
  if (child != children_.end()) child->second->Signal(SIGKILL);
}

void HostAgent::StartRank(const RankAction& action) {
  GangAssignment assignment;
  {
    absl::MutexLock lock(&mu_);
    assignment = *table_.assignment(action.key);
  }
  auto child = LaunchRank(launch_, assignment, action.slot);
  absl::MutexLock lock(&mu_);
  if (!child.ok()) {
    spdlog::error("rank could not be started rank={} error=\"{}\"", ToString(action.key), child.status().ToString());
    table_.NotStarted(action.key, child.status());
    metrics_->Add("mimeo_worker_rank_failures_total");
    return;
  }
  spdlog::info("rank started rank={} slot={} pid={} log={}", ToString(action.key), action.slot, (*child)->pid(),
               RankLogPath(options_.dir, action.key));
  table_.Started(action.key, (*child)->pid(), Clock::Real()->Now());
  metrics_->Add("mimeo_worker_rank_starts_total");
  children_[action.key] = *std::move(child);
}

void HostAgent::Forget(const RankKey& key) {
  std::vector<RankKey> running;
  for (const auto& [rank, child] : children_) running.push_back(rank);
  CleanRankFiles(options_.dir, key, running);
  absl::MutexLock lock(&mu_);
  for (const RankStatus& rank : table_.Statuses(Clock::Real()->Now())) {
    if (rank.job_id() == key.job_id) return;  // its metrics live on under the same labels
  }
  metrics_->Forget("job", key.job_id);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WorkerAgent>> WorkerAgent::Start(const AgentOptions& options, Metrics* metrics) {
  ASSIGN_OR_RETURN(std::unique_ptr<AgentDir> dir, AgentDir::Hold(options.dir));
  auto agent = std::make_unique<HostAgent>(options, std::move(dir), metrics);
  RETURN_IF_ERROR(agent->Serve());
  return std::unique_ptr<WorkerAgent>(std::move(agent));
}

}  // namespace mimeo
