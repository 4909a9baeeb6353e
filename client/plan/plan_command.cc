#include "client/plan/plan_command.h"

#include <cstdio>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/output.h"
#include "base/print.h"
#include "base/process.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "client/exit_code.h"
#include "client/print.h"
#include "client/run/run_plan.h"
#include "client/worker_verbs/survey.h"
#include "proto/coordinator.grpc.pb.h"

namespace mimeo {
namespace {

absl::StatusOr<ListWorkersReply> AllWorkers(const PlanFlags& flags) {
  const auto stub = Coordinator::NewStub(OpenChannel(flags.run.channels, flags.server));
  ListWorkersRequest request;
  ListWorkersReply all;
  do {
    grpc::ClientContext context;
    SetDeadline(&context, limits::kRpcDeadline);
    ListWorkersReply page;
    const absl::Status called = FromGrpc(stub->ListWorkers(&context, request, &page));
    if (absl::IsUnavailable(called) || absl::IsDeadlineExceeded(called)) {
      return absl::UnavailableError(absl::StrCat("nobody answers at ", flags.server, ": ", called.message()));
    }
    RETURN_IF_ERROR(called);
    all.MergeFrom(page);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

absl::Status FindPlace(const PlanFlags& flags, PlanFacts* facts) {
  const ResourceSpec& resources = facts->spec.resources();
  if (!flags.device.empty()) {
    ASSIGN_OR_RETURN(facts->place, NamedDevice(flags.device));
    facts->why_no_probe = "--device names a GPU that may not be here";
  } else if (!flags.server.empty()) {
    ASSIGN_OR_RETURN(const ListWorkersReply workers, AllWorkers(flags));
    facts->place = ClusterPlace(workers, resources, flags.server);
    facts->workers = FitWorkers(workers, resources);
    facts->why_no_probe = facts->place.slots_in_all == 0
                              ? "no worker suits"
                              : "the rate of the workers' device is not in the table of job/device_peaks.h";
  } else {
    facts->place = ThisMachine(resources.device());
  }
  return absl::OkStatus();
}

// Empty: the job can be tried here.
std::string WhyNoProbe(const PlanFlags& flags, const RunPlan& run, const JobPlan& plan) {
  if (!flags.probe) return "--no_probe";
  if (!run.has_data) return "without photos nothing can be tried: --data PATH";
  if (!run.has_teachers) return "without its teacher nothing can be tried: --teacher NAME=WEIGHTS";
  if (!plan.problems.empty()) return "the job does not fit";
  return "";
}

absl::Status Measure(const PlanFlags& flags, const RunPlan& run, PlanFacts* facts) {
  facts->why_no_probe = WhyNoProbe(flags, run, MakeJobPlan(*facts));
  if (!facts->why_no_probe.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckTemporaryFolder());
  Print(stderr, absl::StrCat("trying some steps for ", absl::FormatDuration(flags.budget),
                             ", and some seconds to start; Ctrl-C ends it\n"));
  const absl::StatusOr<Probe> probe = RunProbe(run.spec, run.cluster, flags.budget, flags.run.channels);
  if (absl::IsDeadlineExceeded(probe.status())) {
    facts->why_no_probe = std::string(probe.status().message());
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(probe.status());
  facts->probe = *probe;
  // The probe evaluates nothing, so it holds nothing out.
  const double trained = 1 - facts->spec.evaluation().hold_out();
  if (facts->images == 0) facts->images = static_cast<int64_t>(static_cast<double>(probe->images) * trained);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobPlan> PlanJob(const PlanFlags& flags) {
  const bool here = flags.device.empty() && flags.server.empty();
  ASSIGN_OR_RETURN(const RunPlan run, MakeRunPlan(flags.run, static_cast<int>(std::thread::hardware_concurrency()),
                                                  here ? PlanFor::kHere : PlanFor::kElsewhere));
  PlanFacts facts;
  facts.spec = run.spec;
  RETURN_IF_ERROR(FindPlace(flags, &facts));
  if (run.has_data && (here || FileExists(run.spec.data().path()))) {
    ASSIGN_OR_RETURN(const Survey survey,
                     RunSurvey(run.spec.data().path(), run.spec.evaluation().hold_out(), run.spec.data().members()));
    facts.images = survey.images - survey.held_out_images;
  }
  if (here) RETURN_IF_ERROR(Measure(flags, run, &facts));
  return MakeJobPlan(std::move(facts));
}

int PlanCommandMain(const PlanFlags& flags) {
  BlockStopSignals();
  const absl::StatusOr<JobPlan> plan = PlanJob(flags);
  if (!plan.ok()) {
    PrintError(plan.status());
    return ExitCodeOf(plan.status());
  }
  Print(stdout, flags.run.json ? JobPlanJson(*plan) + "\n" : JobPlanText(*plan));
  return plan->problems.empty() ? kDone : kFailed;
}

}  // namespace mimeo
