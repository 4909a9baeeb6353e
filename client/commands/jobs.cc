#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/rpc/rpc.h"
#include "client/commands/call.h"
#include "client/exit_code.h"
#include "client/metrics_json.h"
#include "client/table.h"
#include "client/utilization_text.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

constexpr size_t kReasonWidth = 100;  // in a table; `show` and `explain` say all of it

std::string State(const Job& job) {
  return absl::AsciiStrToLower(absl::StripPrefix(JobState_Name(job.state()), "JOB_STATE_"));
}

std::string Steps(const Job& job) {
  return job.total_steps() == 0 ? absl::StrCat(job.step()) : absl::StrCat(job.step(), "/", job.total_steps());
}

std::string JobTable(const ListJobsReply& reply) {
  std::vector<std::vector<std::string>> rows = {{"JOB", "NAME", "STATE", "STEP", "CHECKPOINT", "GENERATION", "REASON"}};
  for (const Job& job : reply.jobs()) {
    rows.push_back({job.id(), job.spec().name(), State(job), Steps(job), absl::StrCat(job.checkpoint_step()),
                    absl::StrCat(job.generation()), OneLine(job.reason(), kReasonWidth)});
  }
  return TableText(rows);
}

std::string JobText(const Job& job) {
  std::string text = TableText({{"job", job.id()},
                                {"state", State(job)},
                                {"reason", job.reason()},
                                {"step", Steps(job)},
                                {"checkpoint", job.checkpoint_step() == 0 ? "none yet" : absl::StrCat("step ", job.checkpoint_step())},
                                {"generation", absl::StrCat(job.generation())},
                                {"workers", absl::StrJoin(job.worker_ids(), ", ")}});
  for (const RankStatus& rank : job.ranks()) {
    absl::StrAppend(&text, "rank ", rank.rank(), ": ", absl::AsciiStrToLower(absl::StripPrefix(RankPhase_Name(rank.phase()), "RANK_PHASE_")),
                    " pid ", rank.pid(), " step ", rank.step(), rank.waiting_for().empty() ? "" : ", waits for " + rank.waiting_for(), "\n");
    if (rank.has_utilization()) absl::StrAppend(&text, "  ", UtilizationText(rank.utilization()), "\n");
  }
  return absl::StrCat(text, "\n", JobSpecText(job.spec()));
}

std::string MetricsHeader() { return absl::StrFormat("%8s %8s %10s %12s %10s %10s %9s %9s", "STEP", "EPOCH", "LOSS", "RATE", "GRADNORM", "IMAGES/S", "DATAWAIT", "TEACHWAIT"); }

std::string MetricsRow(const StepMetrics& step) {
  return absl::StrFormat("%8d %8.2f %10.5f %12.4e %10.4f %10.1f %9.3f %9.3f", step.step(), step.epoch(), step.loss(), step.learning_rate(),
                         step.grad_norm(), step.images_per_second(), step.data_wait_seconds(), step.teacher_wait_seconds());
}

struct MetricsFlags {
  std::string job;
  bool follow = false;
};

int PrintMetrics(const Invocation& invocation, const MetricsFlags& flags) {
  grpc::ClientContext context;
  const auto stub = Coordinator::NewStub(OpenChannel(invocation.server));
  SetDeadline(&context, flags.follow ? absl::Hours(24 * 365) : absl::Minutes(5));
  MetricsRequest request;
  request.set_job_id(flags.job);
  request.set_follow(flags.follow);
  const auto stream = stub->Metrics(&context, request);
  MetricsReply reply;
  bool header = invocation.json();
  while (stream->Read(&reply)) {
    if (!header) std::printf("%s\n", MetricsHeader().c_str());
    header = true;
    for (const StepMetrics& step : reply.steps()) std::printf("%s\n", (invocation.json() ? StepJson(step) : MetricsRow(step)).c_str());
    for (const EvaluationResult& evaluation : reply.evaluations()) {
      std::printf("%s%s\n", invocation.json() ? "" : "evaluation ", EvaluationJson(evaluation).c_str());
    }
    std::fflush(stdout);
  }
  const absl::Status status = Explained(FromGrpc(stream->Finish()), invocation.server);
  if (status.ok()) return kDone;
  PrintError(status);
  return ExitCodeOf(status);
}

void AddControl(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does, Want want) {
  CLI::App* verb = AddVerb(app, name, does, "mimeo " + name + " j1");
  auto job = std::make_shared<std::string>();
  verb->add_option("JOB", *job, "the job's id")->required();
  verb->callback([=] {
    invocation->run = [=] {
      ControlJobRequest request;
      request.set_job_id(*job);
      request.set_want(want);
      return CallAndPrint<ControlJobRequest, Job>(*invocation, &Coordinator::Stub::ControlJob, request, [](const Job& reply) {
        return absl::StrCat(reply.id(), ": ", State(reply), reply.reason().empty() ? "" : ", " + reply.reason(), "\n");
      });
    };
  });
}

}  // namespace

void AddJobVerbs(CLI::App* app, Invocation* invocation) {
  AddVerb(app, "list", "The jobs, newest first", "mimeo list -o json")->callback([invocation] {
    invocation->run = [invocation] {
      return CallAndPrint<ListJobsRequest, ListJobsReply>(*invocation, &Coordinator::Stub::ListJobs, {}, JobTable);
    };
  });

  CLI::App* show = AddVerb(app, "show", "A job: its state, its ranks, and its resolved recipe", "mimeo show j1");
  auto request = std::make_shared<GetJobRequest>();
  show->add_option("JOB", *request->mutable_job_id(), "the job's id")->required();
  show->callback([request, invocation] {
    invocation->run = [request, invocation] {
      return CallAndPrint<GetJobRequest, Job>(*invocation, &Coordinator::Stub::GetJob, *request, JobText);
    };
  });

  CLI::App* explain = AddVerb(app, "explain", "Why a job is in its state, and what it waits for", "mimeo explain j1");
  auto explained = std::make_shared<GetJobRequest>();
  explain->add_option("JOB", *explained->mutable_job_id(), "the job's id")->required();
  explain->callback([explained, invocation] {
    invocation->run = [explained, invocation] {
      return CallAndPrint<GetJobRequest, ExplainReply>(*invocation, &Coordinator::Stub::Explain, *explained, [](const ExplainReply& reply) {
        return absl::StrCat(absl::StrJoin(reply.reasons(), "\n"), "\n");
      });
    };
  });

  CLI::App* metrics = AddVerb(app, "metrics", "A job's numbers, step by step, and its evaluations", "mimeo metrics j1 -o json");
  auto flags = std::make_shared<MetricsFlags>();
  metrics->add_option("JOB", flags->job, "the job's id")->required();
  metrics->add_flag("--follow", flags->follow, "go on until the job ends");
  metrics->callback([flags, invocation] { invocation->run = [flags, invocation] { return PrintMetrics(*invocation, *flags); }; });

  AddControl(app, invocation, "cancel", "Stop a job for good; its checkpoints stay", WANT_CANCEL);
  AddControl(app, invocation, "pause", "Checkpoint a job and free its slots", WANT_PAUSE);
  AddControl(app, invocation, "resume", "Queue a paused job again; it goes on from its last checkpoint", WANT_RUN);
}

}  // namespace mimeo
