#include "client/run/run_plan.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/output.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/evaluation_flags.h"
#include "client/recipe_file.h"
#include "job/job_shape.h"
#include "job/job_spec.h"
#include "job/spec_difference.h"

namespace mimeo {
namespace {

using Problems = std::vector<std::string>;

constexpr char kSomePhotos[] = "photos";  // stands for the path of a job that has none yet

std::string Absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

// Returns what was decided that no flag says.
std::string ApplyFlags(const RunFlags& flags, JobSpec* spec, Problems* problems) {
  for (const std::string& set : flags.sets) {
    const absl::Status status = SetField(set, spec);
    if (!status.ok()) problems->push_back(std::string(status.message()));
  }
  std::string decided = ApplyEvaluationFlags(flags.evaluation, flags.data, flags.sets, spec);
  if (!flags.data.empty()) spec->mutable_data()->set_path(flags.data);
  if (!flags.init.empty()) spec->set_init_weights(flags.init);
  if (flags.workers > 0) spec->mutable_resources()->set_num_ranks(flags.workers);
  return decided;
}

// Makes the path of a field absolute; it must be there.
void CheckPath(const std::string& field, std::string* path, Problems* problems) {
  if (path->empty()) return;
  *path = Absolute(*path);
  if (!FileExists(*path)) problems->push_back(absl::StrCat(field, ": ", ToText(*path), " does not exist"));
}

void CheckPaths(JobSpec* spec, Problems* problems) {
  CheckPath("data.path", spec->mutable_data()->mutable_path(), problems);
  if (spec->evaluation().has_path()) CheckPath("evaluation.path", spec->mutable_evaluation()->mutable_path(), problems);
  if (spec->evaluation().has_bank_path()) {
    CheckPath("evaluation.bank_path", spec->mutable_evaluation()->mutable_bank_path(), problems);
  }
  if (spec->has_init_weights()) CheckPath("init_weights", spec->mutable_init_weights(), problems);
}

using Teachers = std::vector<std::pair<std::string, std::string>>;

bool IsGiven(const Teachers& teachers, const std::string& name) {
  return std::any_of(teachers.begin(), teachers.end(), [&](const auto& teacher) { return teacher.first == name; });
}

Teachers ReadTeachers(const RunFlags& flags, const JobSpec& spec, PlanFor plan_for, bool* missing, Problems* problems) {
  const std::vector<std::string> wanted = TeacherNames(spec);
  Teachers teachers;
  for (const std::string& flag : flags.teachers) {
    std::pair<std::string, std::string> teacher = absl::StrSplit(flag, absl::MaxSplits('=', 1));
    if (teacher.first.empty() || teacher.second.empty()) {
      problems->push_back(
          absl::StrCat("--teacher ", ToText(flag), ": not NAME=WEIGHTS, e.g. --teacher clip=weights/clip.safetensors"));
      continue;
    }
    if (IsGiven(teachers, teacher.first)) {
      problems->push_back(absl::StrCat("--teacher ", ToText(flag), ": ", teacher.first, " is given twice"));
    }
    if (std::find(wanted.begin(), wanted.end(), teacher.first) == wanted.end()) {
      problems->push_back(absl::StrCat("--teacher ", ToText(flag), ": the recipe mimics no teacher of this name; ",
                                       wanted.empty() ? "it mimics none" : "it mimics: ", absl::StrJoin(wanted, ", ")));
    }
    CheckPath(absl::StrCat("--teacher ", teacher.first), &teacher.second, problems);
    teachers.push_back(std::move(teacher));
  }
  for (const std::string& name : wanted) {
    if (!IsGiven(teachers, name)) {
      *missing = true;
      if (plan_for != PlanFor::kRun) continue;
      problems->push_back(absl::StrCat("the recipe mimics a teacher named \"", name,
                                       "\"; say which weights it has: --teacher ", name, "=WEIGHTS"));
    }
  }
  return teachers;
}

void AddProblem(const absl::Status& status, Problems* problems) {
  if (!status.ok()) problems->push_back(std::string(status.message()));
}

// Whether everything that the run writes at its end can be written.
void CheckOutputs(const std::string& out, Problems* problems) {
  const absl::Status folder = CheckOutputFolder("--out", out);
  AddProblem(folder, problems);
  AddProblem(CheckTemporaryFolder(), problems);
  if (!folder.ok() || !IsDirectory(out)) return;
  for (const char* name :
       {"checkpoint.safetensors", "metrics.jsonl", "evaluations.jsonl", "report.html", "job.textproto"}) {
    AddProblem(CheckOutputFile("--out", JoinPath(out, name)), problems);
  }
  for (const char* name : {"cluster", "logs", "encoder", "encoder_average", "reconstructions"}) {
    AddProblem(CheckOutputFolder("--out", JoinPath(out, name)), problems);
  }
}

// Whether the folder is free, or holds the run of the same job: also if an earlier version wrote its text, and also if
// only its length differs, because a finished run may go on for longer (client/run/run_start.h).
absl::Status CheckOut(const RunPlan& plan) {
  const std::string path = JoinPath(plan.out, "job.textproto");
  if (!FileExists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, limits::kRecipeBytes));
  if (text == plan.text) return absl::OkStatus();
  const std::string refusal = absl::StrCat("--out ", ToText(plan.out), " holds the run of another job");
  const std::string instead = "\ntake another folder, or the recipe and flags of that run to continue it";
  const absl::StatusOr<JobSpec> parsed = ParseRecipe(text, path);
  if (!parsed.ok()) {
    return absl::AlreadyExistsError(absl::StrCat(refusal, ", whose ", parsed.status().message(), instead));
  }
  const JobSpec before = InThisVersion(*parsed);
  if (DifferencesButLength(before, plan.spec).empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(refusal, " (", ToText(path), "):\n",
                                               absl::StrJoin(SpecDifferences(before, plan.spec), "\n"), instead));
}

}  // namespace

absl::StatusOr<RunPlan> MakeRunPlan(const RunFlags& flags, int cores, PlanFor plan_for) {
  ASSIGN_OR_RETURN(JobSpec spec, ReadRecipe(flags.recipe));
  Problems problems;
  RunPlan plan;
  plan.decided = ApplyFlags(flags, &spec, &problems);
  if (plan_for != PlanFor::kElsewhere) CheckPaths(&spec, &problems);
  if (plan_for == PlanFor::kRun) {
    plan.out = Absolute(flags.out);
    CheckOutputs(plan.out, &problems);
    if (!flags.tensorboard.empty()) AddProblem(CheckOutputFolder("--tensorboard", flags.tensorboard), &problems);
    plan.cluster.dir = plan.out;
  } else if (spec.data().path().empty()) {
    plan.has_data = false;
    spec.mutable_data()->set_path(kSomePhotos);
  }
  bool missing = false;
  plan.cluster.teachers = ReadTeachers(flags, spec, plan_for, &missing, &problems);
  plan.has_teachers = !missing;
  const int ranks = std::max(1, spec.resources().num_ranks());
  plan.cluster.shares = ShareCores(cores, ranks, static_cast<int>(plan.cluster.teachers.size()));
  if (spec.resources().has_threads_per_rank()) {
    plan.cluster.shares.threads_per_rank = spec.resources().threads_per_rank();
  } else {
    spec.mutable_resources()->set_threads_per_rank(plan.cluster.shares.threads_per_rank);
  }
  const auto resolved = ResolveJobSpec(spec);
  if (!resolved.ok()) problems.push_back(std::string(resolved.status().message()));
  if (!problems.empty()) return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
  plan.spec = *resolved;
  plan.text = JobSpecText(plan.spec);
  if (plan_for == PlanFor::kRun) RETURN_IF_ERROR(CheckOut(plan));
  return plan;
}

}  // namespace mimeo
