#include "worker/rank/rank_link.h"

#include <sys/resource.h>
#include <unistd.h>

#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/text.h"
#include "proto/agent.grpc.pb.h"
#include "spdlog/spdlog.h"

namespace mimeo {
namespace {

constexpr absl::Duration kReportPeriod = absl::Milliseconds(250);

// Of all threads of this process.
double CpuSeconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return absl::ToDoubleSeconds(absl::DurationFromTimeval(usage.ru_utime) + absl::DurationFromTimeval(usage.ru_stime));
}

class GrpcRankLink : public RankLink {
 public:
  GrpcRankLink(const std::string& address, const GangAssignment& start, const Progress* progress)
      : stub_(Agent::NewStub(OpenChannel(address))), progress_(progress), assignment_(start) {
    status_.set_job_id(start.job_id());
    status_.set_generation(start.generation());
    status_.set_rank(start.rank());
    status_.set_pid(getpid());
    status_.set_phase(RANK_PHASE_STARTING);
  }

  ~GrpcRankLink() override {
    {
      absl::MutexLock lock(&mu_);
      closing_ = true;
      if (call_ != nullptr) call_->TryCancel();
    }
    if (reporter_.joinable()) reporter_.join();
  }

  // The first report is made here, so that a wrong address or an agent that does not know the rank is an error.
  absl::Status Start() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::Status status = Report();
    if (!status.ok()) return status;
    reporter_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  void Update(const std::function<void(RankStatus*)>& change) override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const RankPhase phase = status_.phase();
    const std::string store = status_.store_address();
    const int teachers = status_.teachers_size();
    change(&status_);
    if (status_.phase() != phase || status_.store_address() != store || status_.teachers_size() != teachers) ++urgent_;
  }

  void SetMetric(const std::string& name, double value) override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    metrics_[name] = value;
  }

  GangAssignment assignment() const override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return assignment_;
  }

  absl::StatusOr<GangAssignment> Await(const std::function<bool(const GangAssignment&)>& ready,
                                       absl::Time deadline) override ABSL_LOCKS_EXCLUDED(mu_) {
    const auto holds = [this, &ready]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
      return ready(assignment_) || assignment_.stop() != STOP_UNSPECIFIED;
    };
    absl::MutexLock lock(&mu_);
    const bool held = Clock::Real()->Await(&mu_, absl::Condition(&holds), deadline);
    if (!held) return absl::DeadlineExceededError("the agent's assignment did not become what this rank waits for");
    if (ready(assignment_)) return assignment_;
    return absl::CancelledError("told to stop");
  }

  void Finish(RankPhase phase, const absl::Status& error) override ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    status_.set_phase(phase);
    status_.set_status_code(static_cast<int>(error.code()));
    status_.set_message(ToLines(error.message()));
    status_.clear_waiting_for();
    status_.clear_waits_for_data();
    const int64_t mine = ++urgent_;
    const auto heard = [this, mine]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return acknowledged_ >= mine || unknown_; };
    const absl::Time deadline = Clock::Real()->Now() + limits::kRpcDeadline;
    if (!Clock::Real()->Await(&mu_, absl::Condition(&heard), deadline)) {
      spdlog::warn("the agent does not take this rank's last report phase={}", RankPhase_Name(phase));
    }
  }

 private:
  bool Urgent() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closing_ || urgent_ > acknowledged_; }

  void Run() ABSL_LOCKS_EXCLUDED(mu_) {
    while (true) {
      {
        absl::MutexLock lock(&mu_);
        const absl::Time next = Clock::Real()->Now() + kReportPeriod;
        // After a failure even what is urgent waits: the agent is away for good or back in a moment.
        Clock::Real()->Await(&mu_, absl::Condition(this, failed_ ? &GrpcRankLink::Closing : &GrpcRankLink::Urgent),
                             next);
        if (closing_ || unknown_) return;
      }
      const absl::Status status = Report();
      if (!status.ok()) spdlog::warn("the agent does not answer error=\"{}\"", status.ToString());
    }
  }
  bool Closing() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closing_; }

  absl::Status Report() ABSL_LOCKS_EXCLUDED(mu_) {
    grpc::ClientContext context;
    SetDeadline(&context, limits::kRpcDeadline);
    context.set_wait_for_ready(true);
    ReportRankRequest request;
    request.set_cpu_seconds(CpuSeconds());
    request.set_in_collective(progress_->in_collective());
    int64_t version = 0;
    {
      absl::MutexLock lock(&mu_);
      if (closing_) return absl::CancelledError("closing");
      *request.mutable_status() = status_;
      for (const auto& [name, value] : metrics_) {
        MetricSample* sample = request.add_metrics();
        sample->set_name(name);
        sample->set_value(value);
      }
      version = urgent_;
      call_ = &context;
    }
    // Names of files and teachers are in these.
    RankStatus& status_now = *request.mutable_status();
    status_now.set_progress(progress_->count());
    status_now.set_doing(ToText(progress_->doing(), limits::kShortReasonBytes));
    status_now.set_waiting_for(ToText(status_now.waiting_for(), limits::kShortReasonBytes));
    ReportRankReply reply;
    const absl::Status status = FromGrpc(stub_->ReportRank(&context, request, &reply));
    absl::MutexLock lock(&mu_);
    call_ = nullptr;
    failed_ = !status.ok();
    if (status.ok()) {
      acknowledged_ = version;
      assignment_ = std::move(*reply.mutable_assignment());
    } else if (absl::IsNotFound(status)) {  // nobody wants this rank any more
      unknown_ = true;
      assignment_.set_stop(STOP_NOW);
    }
    return status;
  }

  const std::unique_ptr<Agent::Stub> stub_;
  const Progress* const progress_;
  mutable absl::Mutex mu_;
  GangAssignment assignment_ ABSL_GUARDED_BY(mu_);
  RankStatus status_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, double> metrics_ ABSL_GUARDED_BY(mu_);
  int64_t urgent_ ABSL_GUARDED_BY(mu_) = 0;        // changes that may not wait
  int64_t acknowledged_ ABSL_GUARDED_BY(mu_) = 0;  // how many of them the agent has
  bool failed_ ABSL_GUARDED_BY(mu_) = false;
  bool unknown_ ABSL_GUARDED_BY(mu_) = false;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::thread reporter_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RankLink>> RankLink::Connect(const std::string& agent_address,
                                                            const GangAssignment& start, const Progress* progress) {
  auto link = std::make_unique<GrpcRankLink>(agent_address, start, progress);
  const absl::Status status = link->Start();
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat("agent at ", agent_address, ": ", status.message()));
  }
  return std::unique_ptr<RankLink>(std::move(link));
}

}  // namespace mimeo
