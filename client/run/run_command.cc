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

constexpr absl::Duration kRegistrationPatience = absl::Seconds(10);  // of agents that have announced themselves already

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
            std::fputs(trained_ ? "\nthe job is done and its results are being written; Ctrl-C again stops at once\n"
                                : "\nstopping after a checkpoint; Ctrl-C again stops at once, and loses the steps since the last one\n",
                       stderr);
          }
        }) {}
  ~Interrupts() {
    over_ = true;
    thread_.join();
  }
  bool wanted() const { return wanted_; }
  void Trained() { trained_ = true; }  // there is nothing to stop any more

 private:
  std::atomic<bool> wanted_{false};
  std::atomic<bool> trained_{false};
  std::atomic<bool> over_{false};
  std::thread thread_;
};

// Calls `method` of the coordinator.
template <typename Request, typename Reply>
absl::StatusOr<Reply> Call(Coordinator::Stub* stub, grpc::Status (Coordinator::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                           const Request& request) {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  Reply reply;
  RETURN_IF_ERROR(FromGrpc((stub->*method)(&context, request, &reply)));
  return reply;
}

bool IsLost(const Job& job) { return job.state() == JOB_STATE_FAILED || job.state() == JOB_STATE_CANCELLED; }

// The id of the job to follow. A folder's newest job goes on, after a crash or a Ctrl-C; where it has failed for good, what made it
// fail may have been mended: the job begins anew.
absl::StatusOr<std::string> SubmitOrContinue(Coordinator::Stub* stub, const RunPlan& plan, Progress* progress) {
  ASSIGN_OR_RETURN(const ListJobsReply known, Call(stub, &Coordinator::Stub::ListJobs, ListJobsRequest()));
  const bool is_new = known.jobs().empty() || IsLost(known.jobs(0));
  if (!is_new && JobSpecText(known.jobs(0).spec()) != plan.text) {
    return absl::AlreadyExistsError(absl::StrCat("--out ", plan.out, " holds the unfinished run of another job; take another folder"));
  }
  if (is_new) {
    if (!known.jobs().empty()) {
      progress->Say(absl::StrCat("the job in this folder had failed (", known.jobs(0).reason(), "); it begins anew"));
    }
    SubmitRequest request;
    *request.mutable_spec() = plan.spec;
    request.set_request_id(absl::StrCat("mimeo-run-", known.jobs_size() + 1));
    ASSIGN_OR_RETURN(const SubmitReply reply, Call(stub, &Coordinator::Stub::Submit, request));
    return reply.job_id();
  }
  const Job& job = known.jobs(0);
  if (job.want() != WANT_PAUSE) return job.id();
  ControlJobRequest control;
  control.set_job_id(job.id());
  control.set_want(WANT_RUN);
  RETURN_IF_ERROR(Call(stub, &Coordinator::Stub::ControlJob, control).status());
  return job.id();
}

// On a cluster a job waits for workers that suit it; here there will be none but these.
absl::Status CheckDevices(Coordinator::Stub* stub, const RunPlan& plan) {
  const absl::Time deadline = Clock::Real()->Now() + kRegistrationPatience;
  ListWorkersReply known;
  do {
    ASSIGN_OR_RETURN(known, Call(stub, &Coordinator::Stub::ListWorkers, ListWorkersRequest()));
    if (known.workers_size() >= plan.cluster.shares.workers) break;
    absl::SleepFor(absl::Milliseconds(20));
  } while (Clock::Real()->Now() < deadline);
  const ResourceSpec& resources = plan.spec.resources();
  for (const Worker& worker : known.workers()) {
    for (const DeviceInfo& device : worker.identity().devices()) {
      if (resources.device() == DEVICE_CUDA && device.device() != DEVICE_CUDA) {
        return absl::FailedPreconditionError(absl::StrCat("resources.device: DEVICE_CUDA, and this machine has no CUDA device that can be used (", plan.out,
                                                          "/logs/", worker.identity().id(), ".log may say why); DEVICE_AUTO takes the CPU"));
      }
      if (resources.precision() == PRECISION_BF16 && !device.bfloat16()) {
        return absl::FailedPreconditionError(absl::StrCat("resources.precision: PRECISION_BF16, and ", device.name(),
                                                          " has no bfloat16 products; use PRECISION_FP32"));
      }
    }
  }
  return absl::OkStatus();
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
  Progress progress(flags.json ? stderr : stdout);
  progress.Say(plan.cluster.shares.ToString());
  Interrupts interrupts;
  ASSIGN_OR_RETURN(const auto cluster, LocalCluster::Start(plan.cluster));
  const auto channel = OpenChannel(cluster->address());
  const auto stub = Coordinator::NewStub(channel);
  RETURN_IF_ERROR(CheckDevices(stub.get(), plan));
  ASSIGN_OR_RETURN(const std::string job_id, SubmitOrContinue(stub.get(), plan, &progress));
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(plan.out, "job.textproto"), plan.text));
  FollowOptions options;
  options.interrupted = [&] { return interrupts.wanted(); };
  options.check = [&] { return cluster->CheckAlive(); };
  const auto followed = FollowJob(channel, job_id, &progress, options);
  progress.Done();
  if (!followed.ok()) {
    // Where the coordinator is gone the call may fail before the check is asked.
    const absl::Status dead = cluster->CheckAlive();
    return absl::InternalError(absl::StrCat((dead.ok() ? followed.status() : dead).message(),
                                            "\nthe same command continues from the last checkpoint"));
  }
  RETURN_IF_ERROR(Judge(followed->job, plan));
  interrupts.Trained();
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
