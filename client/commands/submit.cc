#include <unistd.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/rpc/rpc.h"
#include "base/status_macros.h"
#include "client/commands/call.h"
#include "client/exit_code.h"
#include "client/follow.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

struct SubmitFlags {
  std::string recipe;
  std::string data;
  std::vector<std::string> sets;
  bool follow = false;
};

// The recipe with --data and --set, checked here so that every mistake is named without a round trip.
absl::StatusOr<JobSpec> ReadJob(const SubmitFlags& flags) {
  const auto text = ReadFile(flags.recipe, limits::kRecipeBytes);
  if (!text.ok()) return absl::InvalidArgumentError(absl::StrCat("RECIPE: ", text.status().message()));
  ASSIGN_OR_RETURN(JobSpec spec, ParseRecipe(*text, flags.recipe));
  std::vector<std::string> problems;
  for (const std::string& set : flags.sets) {
    const absl::Status status = SetField(set, &spec);
    if (!status.ok()) problems.push_back(std::string(status.message()));
  }
  if (!flags.data.empty()) spec.mutable_data()->set_path(flags.data);
  const absl::Status resolved = ResolveJobSpec(spec).status();
  if (!resolved.ok()) problems.push_back(std::string(resolved.message()));
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  return spec;
}

void WarnOfRelativePath(const std::string& field, const std::string& path) {
  if (path.empty() || path[0] == '/') return;
  std::fprintf(stderr, "mimeo: %s \"%s\" is relative: workers look for it below the directory that they were started in\n",
               field.c_str(), path.c_str());
}

int Follow(const Invocation& invocation, const std::string& job_id) {
  Progress progress(invocation.json() ? stderr : stdout);
  const auto followed = FollowJob(OpenChannel(invocation.server), job_id, &progress, FollowOptions());
  progress.Done();
  if (!followed.ok()) {
    const absl::Status status = Explained(followed.status(), invocation.server);
    PrintError(status);
    return ExitCodeOf(status);
  }
  const Job& job = followed->job;
  if (invocation.json()) std::printf("%s\n", JsonLine(job).c_str());
  if (job.state() == JOB_STATE_SUCCEEDED || job.state() == JOB_STATE_PAUSED) return kDone;
  PrintError(absl::AbortedError(absl::StrCat(job.id(), job.state() == JOB_STATE_CANCELLED ? " was cancelled: " : " has failed: ", job.reason())));
  return kFailed;
}

int Submit(const Invocation& invocation, const SubmitFlags& flags) {
  const auto spec = ReadJob(flags);
  if (!spec.ok()) {
    PrintError(spec.status());
    return ExitCodeOf(spec.status());
  }
  WarnOfRelativePath("data.path", spec->data().path());
  WarnOfRelativePath("evaluation.path", spec->evaluation().path());
  SubmitRequest request;
  *request.mutable_spec() = *spec;
  // New for each invocation; within one, gRPC may send it twice.
  request.set_request_id(absl::StrCat("cli-", getpid(), "-", absl::ToUnixNanos(Clock::Real()->Wall())));
  std::string job_id;
  const int code = CallAndPrint<SubmitRequest, SubmitReply>(invocation, &Coordinator::Stub::Submit, request, [&](const SubmitReply& reply) {
    job_id = reply.job_id();
    return reply.job_id() + "\n";
  });
  return code == kDone && flags.follow && !job_id.empty() ? Follow(invocation, job_id) : code;
}

}  // namespace

void AddSubmit(CLI::App* app, Invocation* invocation) {
  CLI::App* submit = AddVerb(app, "submit", "Hand a recipe to the coordinator; prints the job's id",
                             "mimeo submit recipes/mae_b.textproto --data /data/photos --set schedule.epochs=100 --follow");
  auto flags = std::make_shared<SubmitFlags>();
  submit->add_option("RECIPE", flags->recipe, "text proto of the job")->required();
  submit->add_option("--data", flags->data, "images, as the workers see them (over the recipe's data.path)");
  submit->add_option("--set", flags->sets, "FIELD=VALUE of the recipe; FIELD= takes one out; may be repeated")->allow_extra_args(false);
  submit->add_flag("--follow", flags->follow, "show its progress until it ends");
  submit->callback([flags, invocation] { invocation->run = [flags, invocation] { return Submit(*invocation, *flags); }; });

  CLI::App* watch = AddVerb(app, "watch", "Show a job's progress until it ends", "mimeo watch j1");
  auto job = std::make_shared<std::string>();
  watch->add_option("JOB", *job, "the job's id")->required();
  watch->callback([job, invocation] { invocation->run = [job, invocation] { return Follow(*invocation, *job); }; });
}

}  // namespace mimeo
