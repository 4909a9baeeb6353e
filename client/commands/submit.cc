#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/print.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/commands/call.h"
#include "client/commands/job_names.h"
#include "client/evaluation_flags.h"
#include "client/exit_code.h"
#include "client/follow.h"
#include "client/interrupt.h"
#include "client/job_text.h"
#include "client/json_text.h"
#include "client/recipe_file.h"
#include "client/user_name.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

struct SubmitFlags {
  std::string recipe;
  std::string data;
  std::vector<std::string> sets;
  EvaluationFlags evaluation;
  bool follow = false;
};

// The recipe with --data and --set, checked here so that every mistake is named without a round trip.
// *decided is what was decided that no flag says.
absl::StatusOr<JobSpec> ReadJob(const SubmitFlags& flags, std::string* decided) {
  ASSIGN_OR_RETURN(JobSpec spec, ReadRecipe(flags.recipe));
  std::vector<std::string> problems;
  for (const std::string& set : flags.sets) {
    const absl::Status status = SetField(set, &spec);
    if (!status.ok()) problems.push_back(std::string(status.message()));
  }
  *decided = ApplyEvaluationFlags(flags.evaluation, flags.data, flags.sets, &spec);
  if (!flags.data.empty()) spec.mutable_data()->set_path(flags.data);
  const absl::Status resolved = ResolveJobSpec(spec).status();
  if (!resolved.ok()) problems.push_back(std::string(resolved.message()));
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return spec;
}

void WarnOfRelativePath(const std::string& field, const std::string& path) {
  if (path.empty() || path[0] == '/') return;
  Print(stderr, absl::StrCat("mimeo: ", field, " \"", path,
                             "\" is relative: workers look for it below the directory that they were started in\n"));
}

// What following a job to its end, or to a pause, says and returns. A pause that a person asked for is no failure.
absl::Status Verdict(const Job& job) {
  if (job.state() == JOB_STATE_SUCCEEDED) return absl::OkStatus();
  if (job.state() == JOB_STATE_PAUSED && job.status_code() == 0) return absl::OkStatus();
  return absl::AbortedError(EndText(job));
}

// Ctrl-C ends the watching alone.
int Follow(const Invocation& invocation, const std::string& job_id, const Interrupt& interrupt) {
  JobBar bar(invocation.json() ? stderr : stdout);
  FollowOptions options;
  options.check = [&] { return interrupt.wanted() ? absl::CancelledError("Ctrl-C") : absl::OkStatus(); };
  const auto followed = FollowJob(OpenChannel(invocation.channels, invocation.server), job_id, &bar, options);
  bar.Done();
  if (interrupt.wanted()) {
    Print(stderr, absl::StrCat("\n", job_id, " goes on without you: `mimeo watch ", job_id,
                               "` shows it again, `mimeo pause ", job_id, "` stops it after a checkpoint\n"));
    return kFailed;
  }
  if (!followed.ok()) return Ended(Explained(followed.status(), invocation.server));
  if (invocation.json()) {
    const auto json = JsonLine(followed->job);
    if (!json.ok()) return Ended(json.status());
    Print(stdout, *json + "\n");
  }
  return Ended(Verdict(followed->job));
}

int Submit(const Invocation& invocation, const SubmitFlags& flags) {
  const std::unique_ptr<Interrupt> interrupt = flags.follow ? std::make_unique<Interrupt>() : nullptr;
  std::string decided;
  const auto spec = ReadJob(flags, &decided);
  if (!spec.ok()) return Ended(spec.status());
  if (!decided.empty()) Print(stderr, absl::StrCat("mimeo: ", decided, "\n"));
  WarnOfRelativePath("data.path", spec->data().path());
  WarnOfRelativePath("evaluation.path", spec->evaluation().path());
  SubmitRequest request;
  *request.mutable_spec() = *spec;
  // New for each invocation; within one, gRPC may send it twice.
  request.set_request_id(absl::StrCat("cli-", getpid(), "-", absl::ToUnixNanos(Clock::Real()->Wall())));
  request.set_owner(UserName());
  SubmitReply reply;
  const absl::Status status = Call(invocation, &Coordinator::Stub::Submit, request, &reply);
  if (!status.ok()) return Ended(status);
  const int code = PrintReply(invocation, reply, [&] { return ToText(reply.job_id()) + "\n"; });
  return code == kDone && interrupt != nullptr ? Follow(invocation, reply.job_id(), *interrupt) : code;
}

}  // namespace

void AddSubmit(CLI::App* app, Invocation* invocation) {
  CLI::App* submit =
      AddVerb(app, "submit", "Hand a recipe to the coordinator; prints the job's id",
              "mimeo submit recipes/mae_b.textproto --data /data/photos --set schedule.epochs=100 --follow");
  auto flags = std::make_shared<SubmitFlags>();
  submit->add_option("RECIPE", flags->recipe, "text proto of the job")->required();
  submit->add_option("--data", flags->data, "images, as the workers see them (over the recipe's data.path)");
  submit->add_option("--set", flags->sets, "FIELD=VALUE of the recipe; FIELD= takes one out; may be repeated")
      ->allow_extra_args(false);
  AddEvaluationFlags(submit, &flags->evaluation);
  submit->add_flag("--follow", flags->follow, "show its progress until it ends");
  submit->callback(
      [flags, invocation] { invocation->run = [flags, invocation] { return Submit(*invocation, *flags); }; });

  AddVerbOn(app, invocation, "watch", "Show a job's progress until it ends, or pauses", "JOB",
            "the job's id, or its name", "j1", [](const Invocation& invocation, const std::string& word) {
              const Interrupt interrupt;
              const absl::StatusOr<std::string> job_id = FindJob(invocation, word);
              return job_id.ok() ? Follow(invocation, *job_id, interrupt) : Ended(job_id.status());
            });
}

}  // namespace mimeo
