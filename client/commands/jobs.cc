#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/print.h"
#include "base/rpc/rpc.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/commands/job_names.h"
#include "client/exit_code.h"
#include "client/interrupt.h"
#include "client/job_list.h"
#include "client/job_text.h"
#include "client/user_name.h"
#include "job/job_state.h"

namespace mimeo {
namespace {

constexpr int64_t kJobsListed = 1000;
constexpr int64_t kJobsMost = 1000000000;

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

// What will happen now, and not only what is so: a pause takes as long as a step and a checkpoint.
std::string ControlledText(const Job& job) {
  const std::string id = ToText(job.id(), limits::kShortReasonBytes);
  if (job.want() == WANT_PAUSE && job.state() == JOB_STATE_RUNNING) {
    const std::string frees = absl::StrCat(" and frees ", Counted(job.worker_ids_size(), "slot"), "\n");
    if (job.step() > 0 && job.step() < job.total_steps()) {
      return absl::StrCat(id, " takes a checkpoint at the end of step ", job.step() + 1, frees);
    }
    return absl::StrCat(id, " takes a checkpoint as soon as it can", frees);
  }
  return absl::StrCat(id, ": ", StateName(job.state()), job.reason().empty() ? "" : ", " + job.reason(), "\n");
}

void AddControl(CLI::App* app, Invocation* invocation, const std::string& name, const std::string& does, Want want) {
  AddJobsVerb(app, invocation, name, does, "j1 j2", [want](const Invocation& invocation, const std::string& job) {
    ControlJobRequest request;
    request.set_job_id(job);
    request.set_want(want);
    request.set_user(UserName());
    return CallAndPrint<ControlJobRequest, Job>(invocation, &Coordinator::Stub::ControlJob, request, ControlledText);
  });
}

struct ListFlags {
  int64_t limit = kJobsListed;
  std::vector<std::string> states;
  std::string name;
  bool specs = false;
};

JobState StateOf(const std::string& word) {
  for (int i = JobState_MIN; i <= JobState_MAX; ++i) {
    if (JobState_IsValid(i) && StateName(static_cast<JobState>(i)) == word) return static_cast<JobState>(i);
  }
  return JOB_STATE_UNSPECIFIED;  // the command line lets none through
}

int List(const Invocation& invocation, const ListFlags& flags) {
  Listing<ListJobsRequest, ListJobsReply, Job> listing = {
      "jobs", &Coordinator::Stub::ListJobs, &ListJobsReply::jobs, JobListHeader(), nullptr, flags.limit};
  listing.row = [](const Job& job) { return JobListRow(job, Clock::Real()->Wall()); };
  listing.note = JobListNote;
  if (invocation.output == "name") listing.row = [](const Job& job) { return std::vector<std::string>{job.id()}; };
  if (invocation.output == "wide") {
    listing.header = WideJobListHeader();
    listing.row = WideJobListRow;
    listing.note = [](const Job&) { return std::string(); };
  }
  ListJobsRequest request;
  for (const std::string& state : flags.states) request.add_states(StateOf(state));
  request.set_name(flags.name);
  request.set_without_specs(!flags.specs);
  return ListAndPrint<ListJobsRequest, ListJobsReply, Job>(invocation, listing, request);
}

void AddList(CLI::App* app, Invocation* invocation) {
  CLI::App* list = AddVerb(app, "list", "The jobs, newest first", "mimeo list --state pending running -o wide");
  auto flags = std::make_shared<ListFlags>();
  list->add_option("--limit", flags->limit, absl::StrCat("how many, the newest (default: ", kJobsListed, "); 0: all"))
      ->check(CLI::Range(int64_t{0}, kJobsMost));
  list->add_option("--state", flags->states, "those in one of these states")
      ->check(CLI::IsMember({"pending", "running", "paused", "succeeded", "failed", "cancelled"}));
  AddText(list, "--name", &flags->name, "those of this name");
  list->add_flag("--specs", flags->specs, "with -o json: their whole resolved recipes too");
  list->callback([flags, invocation] {
    invocation->outputs = {"table", "wide", "name", "json"};
    invocation->run = [flags, invocation] { return List(*invocation, *flags); };
  });
}

}  // namespace

void AddJobVerbs(CLI::App* app, Invocation* invocation) {
  AddList(app, invocation);
  AddJobsVerb(app, invocation, "show", "Jobs: their states, their ranks, and their resolved recipes", "j1",
              [](const Invocation& invocation, const std::string& job) {
                GetJobRequest request;
                request.set_job_id(job);
                return CallAndPrint<GetJobRequest, Job>(invocation, &Coordinator::Stub::GetJob, request, JobText);
              });
  AddJobsVerb(app, invocation, "explain", "Why jobs are in their states, and what they wait for", "j1", Explain);

  AddMetrics(app, invocation);
  AddControl(app, invocation, "cancel", "Stop jobs for good; their checkpoints stay", WANT_CANCEL);
  AddControl(app, invocation, "pause", "Checkpoint jobs and free their slots", WANT_PAUSE);
  AddControl(app, invocation, "resume", "Queue paused or failed jobs again, from their last checkpoints", WANT_RUN);
}

}  // namespace mimeo
