#include "client/run/run_start.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/text.h"
#include "job/job_spec.h"
#include "job/spec_difference.h"

namespace mimeo {

namespace {

bool IsShorter(const ScheduleSpec& asked, const ScheduleSpec& of_job) {
  if (asked.has_epochs() && of_job.has_epochs()) return asked.epochs() < of_job.epochs();
  return asked.has_steps() && of_job.has_steps() && asked.steps() < of_job.steps();
}

// The plan is for another job than the folder's: the same one for longer, or not the same.
absl::StatusOr<RunStart> StartOfAnother(const Job& newest, const JobSpec& spec, const RunPlan& plan) {
  const bool done = newest.state() == JOB_STATE_SUCCEEDED, only_longer = DifferencesButLength(spec, plan.spec).empty();
  if (done && only_longer && IsShorter(plan.spec.schedule(), spec.schedule())) {
    return RunStart{RunStart::kDone, "the run in this folder was made longer than this, and is done"};
  }
  if (done && only_longer) {
    return RunStart{RunStart::kExtend,
                    absl::StrCat("the run in this folder is done; it goes on from step ", newest.checkpoint_step(),
                                 " with the longer schedule, and from there the learning rate follows that one")};
  }
  return absl::AlreadyExistsError(absl::StrCat(
      "--out ", ToText(plan.out), " holds the ", done ? "" : "unfinished ", "run of another job:\n",
      absl::StrJoin(SpecDifferences(spec, plan.spec), "\n"), "\n",
      only_longer ? "finish it first, with its own schedule; then a longer one continues it" : "take another folder"));
}

}  // namespace

absl::StatusOr<RunStart> DecideStart(const Job* newest, const RunPlan& plan) {
  if (newest == nullptr) return RunStart{};
  if (newest->state() == JOB_STATE_CANCELLED) {
    return RunStart{RunStart::kSubmit, "the job in this folder was cancelled; it begins anew"};
  }
  if (newest->state() == JOB_STATE_FAILED && newest->checkpoint_step() == 0) {
    return RunStart{RunStart::kSubmit,
                    absl::StrCat("the job in this folder had failed (", newest->reason(), "); it begins anew")};
  }
  const JobSpec spec = InThisVersion(newest->spec());
  if (JobSpecText(spec) != plan.text) return StartOfAnother(*newest, spec, plan);
  if (newest->state() == JOB_STATE_SUCCEEDED) return RunStart{RunStart::kDone, ""};
  const std::string from = newest->checkpoint_step() == 0
                               ? "it begins again"
                               : absl::StrCat("it goes on from step ", newest->checkpoint_step());
  if (newest->state() == JOB_STATE_FAILED) {
    return RunStart{RunStart::kResume,
                    absl::StrCat("the job in this folder had failed (", newest->reason(), "); ", from)};
  }
  if (newest->want() != WANT_PAUSE) return RunStart{RunStart::kFollow, ""};
  if (newest->status_code() == 0) return RunStart{RunStart::kResume, ""};
  return RunStart{RunStart::kResume,
                  absl::StrCat("the job in this folder was paused (", newest->reason(), "); ", from)};
}

void PutIntoWordsOfRun(Job* job) {
  const std::string of_this_job = absl::StrCat("`mimeo resume ", job->id(), "`");
  for (std::string* sentence : {job->mutable_reason(), job->mutable_why()}) {
    absl::StrReplaceAll({{of_this_job, "the same command"}, {"`mimeo resume` the job", "give the same command again"}},
                        sentence);
  }
}

}  // namespace mimeo
