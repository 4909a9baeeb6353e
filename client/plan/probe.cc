#include "client/plan/probe.h"

#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/wait.h"
#include "client/run/device_check.h"
#include "job/job_spec.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(100);
constexpr absl::Duration kCall = absl::Seconds(20);
constexpr absl::Duration kStartPatience = absl::Minutes(10);  // to list the images, make the model, join the gang
constexpr absl::Duration kFirstStep = absl::Seconds(15);      // to warm up, to end, and to be heard of
constexpr absl::Duration kLeavePatience = absl::Seconds(5);   // of ranks that were killed
constexpr int64_t kEnoughSteps = 300;
constexpr int64_t kNeverDone = 1'000'000;  // steps; the probe ends before

// The job without what a probe leaves out. Its last step, which would be checkpointed, never comes.
absl::StatusOr<JobSpec> OnlySteps(JobSpec spec) {
  spec.clear_evaluation();
  spec.clear_schedule();
  spec.mutable_schedule()->set_steps(kNeverDone);
  spec.mutable_checkpoint()->set_every_steps(0);
  spec.mutable_resources()->set_max_restarts(0);
  return ResolveJobSpec(spec);
}

// Follows the job of a probe. One thread.
class ProbedJob {
 public:
  ProbedJob(const std::shared_ptr<grpc::Channel>& channel, absl::Time began)
      : stub_(Coordinator::NewStub(channel)), began_(began) {}

  absl::Status Submit(const JobSpec& spec) {
    SubmitRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id("probe");
    SubmitReply reply;
    grpc::ClientContext context;
    SetDeadline(&context, kCall);
    RETURN_IF_ERROR(FromGrpc(stub_->Submit(&context, request, &reply)));
    job_id_ = reply.job_id();
    return absl::OkStatus();
  }

  absl::Status Look() {
    grpc::ClientContext context;
    SetDeadline(&context, kCall);
    GetJobRequest request;
    request.set_job_id(job_id_);
    RETURN_IF_ERROR(FromGrpc(stub_->GetJob(&context, request, &job_)));
    for (const RankStatus& rank : job_.ranks()) {
      SeeMemory(rank.utilization());
      images_ = std::max(images_, rank.num_samples());
    }
    const bool trains = std::any_of(job_.ranks().begin(), job_.ranks().end(), [](const RankStatus& rank) {
      return rank.phase() == RANK_PHASE_TRAINING || rank.phase() == RANK_PHASE_COMPLETED;
    });
    RETURN_IF_ERROR(ReadSteps());
    const absl::Time now = Clock::Real()->Now();
    if ((trains || !steps_.empty()) && trains_since_ == absl::InfiniteFuture()) trains_since_ = now;
    if (!steps_.empty() && first_step_ == absl::InfiniteFuture()) first_step_ = now;
    return absl::OkStatus();
  }

  // Aborted where the job will make no more steps.
  absl::Status CheckAlive() const {
    if (job_.state() == JOB_STATE_PENDING || job_.state() == JOB_STATE_RUNNING) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat("the probe of some steps failed: ", job_.reason()));
  }

  absl::Time trains_since() const { return trains_since_; }  // the infinite future: it does not yet
  absl::Time first_step() const { return first_step_; }      // when it was heard of; likewise
  int64_t steps() const { return static_cast<int64_t>(steps_.size()); }
  // "step 0, micro-batch 3 of 16"; empty: not known.
  std::string doing() const { return job_.ranks().empty() ? "" : job_.ranks(0).doing(); }

  // REQUIRES: steps() > 0.
  Probe Result(int64_t global_batch) const {
    Probe probe;
    // The first steps make buffers, choose kernels and read cold files. Where there are no others they must do.
    const int64_t dropped = std::min<int64_t>(steps() - 1, std::clamp<int64_t>(steps() / 4, 1, 20));
    int64_t number = 0;
    double seconds = 0;
    for (const auto& [step, metrics] : steps_) {
      if (number++ < dropped) continue;
      seconds += metrics.utilization().step_seconds();
      ++probe.steps;
    }
    probe.step_seconds = seconds / static_cast<double>(probe.steps);
    probe.images_per_second = static_cast<double>(global_batch) / std::max(probe.step_seconds, 1e-9);
    probe.peak_memory_bytes = peak_memory_bytes_;
    probe.images = images_;
    probe.start_seconds = absl::ToDoubleSeconds(first_step_ - began_);
    return probe;
  }

 private:
  void SeeMemory(const Utilization& utilization) {
    peak_memory_bytes_ = std::max(peak_memory_bytes_, utilization.peak_memory_bytes());
  }

  absl::Status ReadSteps() {
    grpc::ClientContext context;
    SetDeadline(&context, kCall);
    MetricsRequest request;
    request.set_job_id(job_id_);
    request.set_after_step(steps_.empty() ? 0 : steps_.rbegin()->first);
    const auto stream = stub_->Metrics(&context, request);
    MetricsReply reply;
    while (stream->Read(&reply)) {
      for (const StepMetrics& step : reply.steps()) {
        SeeMemory(step.utilization());
        steps_[step.step()] = step;
      }
    }
    return FromGrpc(stream->Finish());
  }

  const std::unique_ptr<Coordinator::Stub> stub_;
  const absl::Time began_;
  std::string job_id_;
  Job job_;
  std::map<int64_t, StepMetrics> steps_;
  int64_t peak_memory_bytes_ = 0;
  int64_t images_ = 0;
  absl::Time trains_since_ = absl::InfiniteFuture();
  absl::Time first_step_ = absl::InfiniteFuture();
};

// Until steps were made for the budget. The first one is waited for apart: it warms up, and is heard of a moment later.
absl::Status Train(RunCluster* cluster, absl::Duration budget, absl::Time began, ProbedJob* job) {
  const absl::Duration first_step = std::max(budget, kFirstStep);
  while (true) {
    const absl::Status looked = job->Look();
    // Where a process is gone, its end says more than the call that failed.
    RETURN_IF_ERROR(cluster->CheckAlive());
    RETURN_IF_ERROR(looked);
    RETURN_IF_ERROR(job->CheckAlive());
    const absl::Time now = Clock::Real()->Now();
    if (job->steps() >= kEnoughSteps || now >= job->first_step() + budget) return absl::OkStatus();
    if (job->steps() == 0 && now >= job->trains_since() + first_step) {
      const std::string doing = job->doing().empty() ? "" : absl::StrCat(" (it has come to ", job->doing(), ")");
      return absl::DeadlineExceededError(absl::StrCat("the first step has not ended within ",
                                                      absl::FormatDuration(first_step), doing,
                                                      "; a longer --probe_seconds waits longer for it"));
    }
    if (job->trains_since() == absl::InfiniteFuture() && now >= began + kStartPatience) {
      return absl::DeadlineExceededError(
          absl::StrCat("the job has not begun to train within ", absl::FormatDuration(kStartPatience)));
    }
    if (WaitForStopUntil(now + kLook)) return absl::CancelledError("the probe was stopped");
  }
}

absl::StatusOr<Probe> RunIn(const std::string& dir, const JobSpec& spec, RunClusterOptions options,
                            absl::Duration budget, const ChannelOptions& channels) {
  const absl::Time began = Clock::Real()->Now();
  options.dir = dir;
  options.stop_wanted = [] { return WaitForStopUntil(Clock::Real()->Now()); };
  ASSIGN_OR_RETURN(const auto cluster, RunCluster::Start(options));
  const auto channel = OpenChannel(channels, cluster->address());
  const auto result = [&]() -> absl::StatusOr<Probe> {
    const auto stub = Coordinator::NewStub(channel);
    RETURN_IF_ERROR(CheckDevices(stub.get(), spec.resources(), options.shares.workers));
    ProbedJob job(channel, began);
    RETURN_IF_ERROR(job.Submit(spec));
    RETURN_IF_ERROR(Train(cluster.get(), budget, began, &job));
    return job.Result(spec.data().global_batch());
  }();
  cluster->Kill();
  return result;
}

// Ranks die with their agents, a moment later: until then they may still write.
void RemoveAfterRanks(const std::string& dir) {
  const absl::Time deadline = Clock::Real()->Now() + kLeavePatience;
  while (!RemoveTree(dir).ok() && Clock::Real()->Now() < deadline) WaitFor(absl::Milliseconds(20));
}

}  // namespace

absl::StatusOr<Probe> RunProbe(const JobSpec& resolved, const RunClusterOptions& cluster, absl::Duration budget,
                               const ChannelOptions& channels) {
  ASSIGN_OR_RETURN(const JobSpec spec, OnlySteps(resolved));
  const TempDir dir;
  const absl::StatusOr<Probe> probe = RunIn(dir.path(), spec, cluster, budget, channels);
  RemoveAfterRanks(dir.path());
  if (probe.ok()) return probe;
  return absl::Status(probe.status().code(), absl::StrReplaceAll(probe.status().message(), {{dir.path(), "PROBE"}}));
}

}  // namespace mimeo
