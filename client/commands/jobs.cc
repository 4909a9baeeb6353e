#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/print.h"
#include "base/rpc/rpc.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/exit_code.h"
#include "client/job_text.h"
#include "job/job_state.h"

namespace mimeo {
namespace {

constexpr size_t kReasonWidth = 100;  // in a table; `show` and `explain` say all of it
constexpr int64_t kJobsListed = 1000;
constexpr int64_t kJobsMost = 1000000000;

std::vector<std::string> JobRow(const Job& job) {
  return {job.id(),
          job.spec().name(),
          StateName(job.state()),
          StepsText(job),
          absl::StrCat(job.checkpoint_step()),
          absl::StrCat(job.generation()),
          OneLine(job.reason(), kReasonWidth)};
}

// The coordinator's reasons, lines after a reason's first indented; then what its ranks do, as far as the coordinator
// did not say it.
int Explain(const Invocation& invocation, const std::string& job_id) {
  GetJobRequest request;
  request.set_job_id(job_id);
  ExplainReply why;
  const absl::Status status = Call(invocation, &Coordinator::Stub::Explain, request, &why);
  if (!status.ok()) return Ended(status);
  return PrintReply(invocation, why, [&] {
    std::string text;
    for (const std::string& reason : why.reasons()) {
      absl::StrAppend(&text, absl::StrReplaceAll(ToLines(reason), {{"\n", "\n    "}}), "\n");
    }
    Job job;
    const absl::Status known = Call(invocation, &Coordinator::Stub::GetJob, request, &job);
    return absl::StrCat(text, known.ok() ? QuietRanksText(job) : "");
  });
}

void AddControl(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does, Want want) {
  AddVerbOn(app, invocation, name, does, "JOB", "the job's id", "j1",
            [want](const Invocation& invocation, const std::string& job) {
              ControlJobRequest request;
              request.set_job_id(job);
              request.set_want(want);
              return CallAndPrint<ControlJobRequest, Job>(
                  invocation, &Coordinator::Stub::ControlJob, request, [](const Job& reply) {
                    return absl::StrCat(ToText(reply.id()), ": ", StateName(reply.state()),
                                        reply.reason().empty() ? "" : ", " + reply.reason(), "\n");
                  });
            });
}

void AddList(CLI::App* app, Invocation* invocation) {
  CLI::App* list = AddVerb(app, "list", "The jobs, newest first", "mimeo list -o json");
  auto limit = std::make_shared<int64_t>(kJobsListed);
  list->add_option("--limit", *limit, absl::StrCat("how many, the newest (default: ", kJobsListed, "); 0: all"))
      ->check(CLI::Range(int64_t{0}, kJobsMost));
  list->callback([limit, invocation] {
    invocation->run = [limit, invocation] {
      return ListAndPrint<ListJobsRequest, ListJobsReply, Job>(
          *invocation,
          {"jobs",
           &Coordinator::Stub::ListJobs,
           &ListJobsReply::jobs,
           {"JOB", "NAME", "STATE", "STEP", "CHECKPOINT", "GENERATION", "REASON"},
           JobRow,
           *limit},
          {});
    };
  });
}

}  // namespace

void AddJobVerbs(CLI::App* app, Invocation* invocation) {
  AddList(app, invocation);
  AddVerbOn(app, invocation, "show", "A job: its state, its ranks, and its resolved recipe", "JOB", "the job's id",
            "j1", [](const Invocation& invocation, const std::string& job) {
              GetJobRequest request;
              request.set_job_id(job);
              return CallAndPrint<GetJobRequest, Job>(invocation, &Coordinator::Stub::GetJob, request, JobText);
            });
  AddVerbOn(app, invocation, "explain", "Why a job is in its state, and what it waits for", "JOB", "the job's id", "j1",
            Explain);

  AddMetrics(app, invocation);
  AddControl(app, invocation, "cancel", "Stop a job for good; its checkpoints stay", WANT_CANCEL);
  AddControl(app, invocation, "pause", "Checkpoint a job and free its slots", WANT_PAUSE);
  AddControl(app, invocation, "resume", "Queue a paused or failed job again; it goes on from its last checkpoint",
             WANT_RUN);
}

}  // namespace mimeo
