#include "client/run/run_command.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/print.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/auto/auto_recipe.h"
#include "client/auto/judge_run.h"
#include "client/download.h"
#include "client/evaluation_summary.h"
#include "client/exit_code.h"
#include "client/follow.h"
#include "client/interrupt.h"
#include "client/job_bar.h"
#include "client/plan/job_plan.h"
#include "client/print.h"
#include "client/run/device_check.h"
#include "client/run/live_metrics.h"
#include "client/run/run_plan.h"
#include "client/run/run_results.h"
#include "client/run/run_start.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

// What a person is told at the first Ctrl-C.
constexpr char kStopping[] =
    "\nstopping after a checkpoint; Ctrl-C again stops at once, and loses the steps since the last one\n";
constexpr char kWriting[] = "\nthe job is done and its results are being written; Ctrl-C again stops at once\n";

// Calls `method` of the coordinator.
template <typename Request, typename Reply>
absl::StatusOr<Reply> Call(Coordinator::Stub* stub,
                           grpc::Status (Coordinator::Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                           const Request& request) {
  grpc::ClientContext context;
  SetDeadline(&context, absl::Seconds(30));
  Reply reply;
  RETURN_IF_ERROR(FromGrpc((stub->*method)(&context, request, &reply)));
  return reply;
}

struct Begun {
  std::string job_id;  // the job to follow
  bool done = false;   // it had ended well before
};

absl::StatusOr<Begun> SubmitOrContinue(Coordinator::Stub* stub, const RunPlan& plan, JobBar* bar) {
  ListJobsRequest list;
  list.set_page_size(1);
  ASSIGN_OR_RETURN(ListJobsReply known, Call(stub, &Coordinator::Stub::ListJobs, list));
  Job* const newest = known.jobs().empty() ? nullptr : known.mutable_jobs(0);
  if (newest != nullptr) PutIntoWordsOfRun(newest);
  ASSIGN_OR_RETURN(const RunStart start, DecideStart(newest, plan));
  if (start.kind == RunStart::kExtend) {
    ExtendJobRequest extend;
    extend.set_job_id(newest->id());
    *extend.mutable_spec() = plan.spec;
    RETURN_IF_ERROR(Call(stub, &Coordinator::Stub::ExtendJob, extend).status());
  }
  if (!start.note.empty()) bar->Say(start.note);
  if (start.kind == RunStart::kSubmit) {
    SubmitRequest request;
    *request.mutable_spec() = plan.spec;
    request.set_request_id(absl::StrCat("mimeo-run-after-", newest == nullptr ? "nothing" : newest->id()));
    ASSIGN_OR_RETURN(const SubmitReply reply, Call(stub, &Coordinator::Stub::Submit, request));
    return Begun{reply.job_id()};
  }
  if (start.kind != RunStart::kResume) return Begun{newest->id(), /*done=*/start.kind == RunStart::kDone};
  ControlJobRequest control;
  control.set_job_id(newest->id());
  control.set_want(WANT_RUN);
  RETURN_IF_ERROR(Call(stub, &Coordinator::Stub::ControlJob, control).status());
  return Begun{newest->id()};
}

absl::Status Judge(const Job& job, const RunPlan& plan) {
  if (job.state() == JOB_STATE_SUCCEEDED) return absl::OkStatus();
  const std::string at = absl::StrCat("step ", job.checkpoint_step(), " of ", job.total_steps());
  const std::string logs = absl::StrCat("logs: ", ToText(plan.out), "/logs, ", ToText(plan.out), "/cluster/w*/ranks");
  if (job.state() == JOB_STATE_PAUSED && job.status_code() == 0) {
    return absl::CancelledError(absl::StrCat("stopped at ", at, "; the same command continues it"));
  }
  if (job.state() == JOB_STATE_PAUSED) {
    return absl::AbortedError(absl::StrCat("the job is paused at ", at, ": ", job.reason(),
                                           "\nonce that is mended, the same command continues it\n", logs));
  }
  const std::string next = job.state() == JOB_STATE_FAILED && job.checkpoint_step() > 0
                               ? absl::StrCat("\nonce that is mended, the same command continues from ", at)
                               : "";
  return absl::AbortedError(absl::StrCat(
      job.state() == JOB_STATE_CANCELLED ? "the job was cancelled: " : "the job has failed: ", job.reason(), next, "\n",
      logs));
}

// What the data sets leave out, as proto/data.proto has it.
nlohmann::ordered_json DataJson(const Job& job) {
  nlohmann::ordered_json sets = nlohmann::ordered_json::array();
  for (const DataContents& data : job.data()) {
    nlohmann::ordered_json set = {{"field", data.field()},
                                  {"num_samples", data.num_samples()},
                                  {"passed_over", nlohmann::ordered_json::array()},
                                  {"notes", nlohmann::ordered_json::array()}};
    for (const PassedOver& row : data.passed_over()) {
      const std::vector<std::string> names(row.names().begin(), row.names().end());
      set["passed_over"].push_back({{"reason", row.reason()}, {"count", row.count()}, {"names", names}});
    }
    for (const std::string& note : data.notes()) set["notes"].push_back(note);
    sets.push_back(std::move(set));
  }
  return sets;
}

void PrintSummary(const RunFlags& flags, const RunPlan& plan, const RunResults& results) {
  const RunVerdict verdict = ReadVerdict(plan.out);
  if (!flags.json) {
    Print(stdout,
          absl::StrCat(EvaluationSummary(results.evaluations, StartOf(plan.spec)), "results in ", ToText(plan.out),
                       ": report.html, encoder/, checkpoint.safetensors, metrics.jsonl, job.textproto\n"));
    for (const std::string& line : verdict.lines) Print(stdout, line + "\n");
    return;
  }
  nlohmann::ordered_json summary = {{"out", plan.out},
                                    {"job", results.job.id()},
                                    {"state", JobState_Name(results.job.state())},
                                    {"steps", results.job.step()},
                                    {"evaluations", nlohmann::ordered_json::array()}};
  if (results.seconds > 0) summary["seconds"] = results.seconds;  // not of a run that was done before
  for (const EvaluationResult& evaluation : results.evaluations) {
    nlohmann::ordered_json one = {{"step", evaluation.step()}};
    for (const auto& [name, value] : evaluation.values()) one[name] = value;
    summary["evaluations"].push_back(one);
  }
  summary["data"] = DataJson(results.job);
  if (!verdict.lines.empty()) summary["verdict"] = verdict.json;
  Print(stdout, JsonText(summary) + "\n");
}

// Follows the job to its end; what is new is written as it comes.
absl::StatusOr<Followed> Follow(const RunFlags& flags, const RunPlan& plan, const Interrupt& interrupt,
                                const Begun& begun, RunCluster* cluster, JobBar* bar) {
  LiveMetrics live(begun.done ? "" : plan.out, flags.tensorboard,
                   [&](absl::string_view sentence) { bar->Say(sentence); });
  FollowOptions options;
  options.interrupted = [&] { return interrupt.wanted(); };
  options.check = [&] { return cluster->CheckAlive(); };
  options.reword = PutIntoWordsOfRun;
  options.numbers = [&](const auto& steps, const auto& evaluations) { live.Add(steps, evaluations); };
  auto followed = FollowJob(OpenChannel(flags.channels, cluster->address()), begun.job_id, bar, options);
  bar->Done();
  if (followed.ok()) return followed;
  // Where the coordinator is gone the call may fail before the check is asked.
  const absl::Status dead = cluster->CheckAlive();
  return absl::InternalError(absl::StrCat((dead.ok() ? followed.status() : dead).message(),
                                          "\nthe same command continues from the last checkpoint"));
}

absl::Status Run(const RunFlags& flags, const RunPlan& plan) {
  const absl::Time began = Clock::Real()->Now();
  RETURN_IF_ERROR(MakeDirs(plan.out));
  JobBar bar(flags.json ? stderr : stdout);
  bar.Say(plan.cluster.shares.ToString());
  if (!plan.decided.empty()) bar.Say(plan.decided);
  std::atomic<bool> trained{false};  // then there is nothing to stop any more
  Interrupt interrupt;
  interrupt.OnInterrupt([&trained] { Print(stderr, trained ? kWriting : kStopping); });
  ASSIGN_OR_RETURN(const auto cluster, RunCluster::Start(plan.cluster));
  const auto stub = Coordinator::NewStub(OpenChannel(flags.channels, cluster->address()));
  RETURN_IF_ERROR(CheckDevices(stub.get(), plan.spec.resources(), plan.cluster.shares.workers));
  ASSIGN_OR_RETURN(const Begun begun, SubmitOrContinue(stub.get(), plan, &bar));
  // Of a run that was done before, the file may be that of a longer one.
  if (!begun.done) RETURN_IF_ERROR(WriteFileAtomic(JoinPath(plan.out, "job.textproto"), plan.text));
  // The report says that the run is over and its results are whole.
  const std::string report = JoinPath(plan.out, "report.html");
  if (!begun.done) {
    RETURN_IF_ERROR(RemoveTree(report));
    RETURN_IF_ERROR(RemoveTree(JoinPath(plan.out, "verdict.json")));
  }
  ASSIGN_OR_RETURN(const Followed followed, Follow(flags, plan, interrupt, begun, cluster.get(), &bar));
  RETURN_IF_ERROR(Judge(followed.job, plan));
  trained = true;
  RunResults results{followed.job, followed.steps, followed.evaluations, 0};
  // Of a run that was done before, the results stay as they are: they say how long it took.
  if (begun.done && FileExists(report)) {
    cluster->Stop();
    bar.Say(absl::StrCat("this run was done before, at step ", followed.job.step(), "; its results stay as they are"));
    PrintSummary(flags, plan, results);
    return absl::OkStatus();
  }
  const std::string checkpoint = JoinPath(plan.out, "cluster/checkpoint.safetensors");
  RETURN_IF_ERROR(DownloadCheckpointFile(flags.channels, cluster->address(), begun.job_id, /*step=*/0, checkpoint));
  cluster->Stop();
  if (!begun.done) results.seconds = absl::ToDoubleSeconds(Clock::Real()->Now() - began);
  RETURN_IF_ERROR(WriteRunResults(plan, results, checkpoint));
  RETURN_IF_ERROR(RemoveTree(checkpoint));
  if (plan.judged) RETURN_IF_ERROR(JudgeRun(plan, results.evaluations).status());
  RETURN_IF_ERROR(WriteRunReport(plan, results));
  PrintSummary(flags, plan, results);
  return absl::OkStatus();
}

}  // namespace

int RunCommandMain(const RunFlags& given) {
  BlockStopSignals();
  const auto flags = WithRecipe(given);
  if (!flags.ok()) {
    PrintError(flags.status());
    return ExitCodeOf(flags.status());
  }
  auto plan = MakeRunPlan(*flags, static_cast<int>(std::thread::hardware_concurrency()));
  if (!plan.ok()) {
    PrintError(plan.status());
    return ExitCodeOf(plan.status());
  }
  const auto warnings = WarningsBeforeStart(plan->spec, ThisMachine(plan->spec.resources().device()));
  if (!warnings.ok()) {
    PrintError(warnings.status());
    return ExitCodeOf(warnings.status());
  }
  for (const std::string& warning : *warnings) Print(stderr, absl::StrCat("mimeo: ", warning, "\n"));
  plan->judged = given.recipe.empty();
  const absl::Status status = Run(*flags, *plan);
  if (status.ok()) return kDone;
  PrintError(status);
  return kFailed;  // whatever its code: the request was found right before anything started
}

}  // namespace mimeo
