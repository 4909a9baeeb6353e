#include "client/run/run_command.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "client/download.h"
#include "client/exit_code.h"
#include "client/follow.h"
#include "client/progress.h"
#include "client/run/run_plan.h"
#include "client/run/run_results.h"
#include "job/job_spec.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

// One job a folder: submitting again, after a crash or to continue, finds it.
constexpr char kRequestId[] = "mimeo-run";

// The first Ctrl-C asks to checkpoint and stop; the second ends this process, and with it its children.
class Interrupts {
 public:
  Interrupts()
      : thread_([this] {
          int seen = 0;
          while (!over_) {
            if (!WaitForStopUntil(Clock::Real()->Now() + absl::Milliseconds(200))) continue;
            if (++seen > 1) _exit(kFailed);
            wanted_ = true;
            std::fputs("\nstopping after a checkpoint; Ctrl-C again stops at once, and loses the steps since the last one\n", stderr);
          }
        }) {}
  ~Interrupts() {
    over_ = true;
    thread_.join();
  }
  bool wanted() const { return wanted_; }

 private:
  std::atomic<bool> wanted_{false};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

absl::StatusOr<std::string> SubmitOnce(Coordinator::Stub* stub, const RunPlan& plan) {
  SubmitRequest request;
  *request.mutable_spec() = plan.spec;
  request.set_request_id(kRequestId);
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  SubmitReply reply;
  RETURN_IF_ERROR(FromGrpc(stub->Submit(&context, request, &reply)));
  return reply.job_id();
}

// A run that was stopped is paused in its folder: it goes on.
absl::Status ResumeWhatWasPaused(Coordinator::Stub* stub, const std::string& job_id) {
  grpc::ClientContext get_context;
  SetDeadline(&get_context, absl::Seconds(30));
  GetJobRequest get;
  get.set_job_id(job_id);
  Job job;
  RETURN_IF_ERROR(FromGrpc(stub->GetJob(&get_context, get, &job)));
  if (job.want() != WANT_PAUSE) return absl::OkStatus();
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  ControlJobRequest control;
  control.set_job_id(job_id);
  control.set_want(WANT_RUN);
  return FromGrpc(stub->ControlJob(&context, control, &job));
}

absl::Status Judge(const Job& job, const RunPlan& plan) {
  if (job.state() == JOB_STATE_SUCCEEDED) return absl::OkStatus();
  if (job.state() == JOB_STATE_PAUSED) {
    return absl::CancelledError(absl::StrCat("stopped at step ", job.checkpoint_step(), " of ", job.total_steps(),
                                             "; the same command continues it"));
  }
  return absl::Status(job.status_code() == 0 ? absl::StatusCode::kInternal : static_cast<absl::StatusCode>(job.status_code()),
                      absl::StrCat("the job has failed: ", job.reason(), "\nlogs: ", plan.out, "/logs, ", plan.out,
                                   "/cluster/w*/ranks"));
}

void PrintSummary(const RunFlags& flags, const RunPlan& plan, const RunResults& results) {
  if (!flags.json) {
    std::printf("%sresults in %s: report.html, encoder/, checkpoint.safetensors, metrics.jsonl, job.textproto\n",
                EvaluationSummary(results.evaluations).c_str(), plan.out.c_str());
    return;
  }
  nlohmann::json summary = {{"out", plan.out}, {"job", results.job.id()}, {"state", JobState_Name(results.job.state())},
                            {"steps", results.job.step()}, {"seconds", results.seconds}, {"evaluations", nlohmann::json::array()}};
  for (const EvaluationResult& evaluation : results.evaluations) {
    nlohmann::json one = {{"step", evaluation.step()}};
    for (const auto& [name, value] : evaluation.values()) one[name] = value;
    summary["evaluations"].push_back(one);
  }
  std::printf("%s\n", summary.dump().c_str());
}

absl::Status Run(const RunFlags& flags, const RunPlan& plan) {
  const absl::Time began = Clock::Real()->Now();
  RETURN_IF_ERROR(MakeDirs(plan.out));
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(plan.out, "job.textproto"), plan.text));
  Progress progress(flags.json ? stderr : stdout);
  progress.Say(plan.cluster.shares.ToString());
  const Interrupts interrupts;
  ASSIGN_OR_RETURN(const auto cluster, LocalCluster::Start(plan.cluster));
  const auto channel = OpenChannel(cluster->address());
  const auto stub = Coordinator::NewStub(channel);
  ASSIGN_OR_RETURN(const std::string job_id, SubmitOnce(stub.get(), plan));
  RETURN_IF_ERROR(ResumeWhatWasPaused(stub.get(), job_id));
  absl::Status dead;
  const auto followed = FollowJob(channel, job_id, &progress, [&] {
    if (dead.ok()) dead = cluster->CheckAlive();
    return interrupts.wanted() || !dead.ok();
  });
  progress.Done();
  RETURN_IF_ERROR(dead);
  RETURN_IF_ERROR(followed.status());
  RETURN_IF_ERROR(Judge(followed->job, plan));
  RunResults results{followed->job, followed->steps, followed->evaluations, 0};
  const std::string checkpoint = JoinPath(plan.out, "cluster/checkpoint.safetensors");
  RETURN_IF_ERROR(DownloadCheckpointFile(channel, job_id, /*step=*/0, checkpoint));
  cluster->Stop();
  results.seconds = absl::ToDoubleSeconds(Clock::Real()->Now() - began);
  RETURN_IF_ERROR(WriteRunResults(plan, results, checkpoint));
  RETURN_IF_ERROR(RemoveTree(checkpoint));
  PrintSummary(flags, plan, results);
  return absl::OkStatus();
}

}  // namespace

int RunCommandMain(const RunFlags& flags) {
  BlockStopSignals();
  const auto plan = MakeRunPlan(flags, static_cast<int>(std::thread::hardware_concurrency()));
  if (!plan.ok()) {
    PrintError(plan.status());
    return ExitCodeOf(plan.status());
  }
  const absl::Status status = Run(flags, *plan);
  if (status.ok()) return kDone;
  PrintError(status);
  return kFailed;  // whatever its code: the request was found right before anything started
}

}  // namespace mimeo
