#include "client/auto/auto_recipe.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/output.h"
#include "base/print.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/auto/judges.h"
#include "client/auto/recipe_text.h"
#include "client/plan/probe.h"
#include "client/recipe_file.h"
#include "client/run/run_cluster.h"
#include "client/shell_word.h"
#include "job/job_shape.h"
#include "job/job_spec.h"

namespace mimeo {
namespace {

constexpr double kMinutes = 10;                // where the person names no time
constexpr double kMinutesMost = 60 * 24 * 30;  // a month
// A probe has a thirtieth of the time: it measures a mean of steps, and twenty seconds are enough for that.
constexpr double kProbeShare = 1.0 / 30;
constexpr double kProbeLeastSeconds = 2;
constexpr double kProbeMostSeconds = 20;
constexpr double kStepsProbed = 3;  // at least so many of the assumed length
constexpr double kLongerProbe = 5;  // of one in which no step was done, the second and last time
constexpr int kProbes = 2;          // the second one where the first leads to another size

std::string Absolute(const std::string& path) { return std::filesystem::absolute(path).lexically_normal().string(); }

double Minutes(const RunFlags& flags) { return flags.minutes > 0 ? flags.minutes : kMinutes; }

// A path becomes part of a job, which is text.
absl::Status CheckPath(const std::string& flag, const std::string& path) {
  if (!path.empty() && !IsUtf8(Absolute(path))) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": \"", ToText(Absolute(path)), "\" is not UTF-8; rename what has this name"));
  }
  if (path.empty() || FileExists(path)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(flag, ": ", ToText(path), " does not exist"));
}

void Say(std::FILE* says, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) Print(says, line + "\n");
}

// The refusal of what a person gave with `flag`, with the flag's name before it; any other status as it is.
absl::Status OfFlag(const std::string& flag, const std::string& value, const absl::Status& status) {
  if (!absl::IsInvalidArgument(status)) return status;
  return absl::InvalidArgumentError(absl::StrCat(flag, " ", ToText(value), ": ", status.message()));
}

// The survey with the share that is held out, as far as there is one.
absl::StatusOr<Survey> SurveyWithHoldOut(const RunFlags& flags, const std::string& path, double* hold_out) {
  const bool others = !flags.evaluation.evaluate.empty();
  const double asked = flags.evaluation.hold_out.value_or(-1);
  *hold_out = others ? 0 : HoldOutShare(/*images=*/1'000'000, asked);
  ASSIGN_OR_RETURN(const Survey survey, RunSurvey(path, *hold_out));
  const double share = others ? 0 : HoldOutShare(survey.images, asked);
  if (share == *hold_out) return survey;
  *hold_out = share;
  return RunSurvey(path, share);  // the photos are few
}

// Whether what is to judge can: else the ranks would refuse it, after a probe and the start of all processes.
absl::Status CheckJudges(const RunFlags& flags, const Survey& survey, double hold_out) {
  const std::string& evaluate = flags.evaluation.evaluate;
  if (!evaluate.empty()) {
    const auto judges = RunSurvey(Absolute(evaluate), /*hold_out=*/0);
    RETURN_IF_ERROR(OfFlag("--evaluate", evaluate, judges.status()));
    return CheckClassesMeet(survey, *judges);
  }
  return hold_out > 0 ? CheckDivision(survey, hold_out) : absl::OkStatus();
}

std::vector<std::pair<std::string, std::string>> Teachers(const Wishes& wishes) {
  if (!wishes.teacher) return {};
  return {{TeacherName(wishes.teacher->path), wishes.teacher->path}};
}

absl::StatusOr<Probe> ProbeChoice(const RunFlags& flags, const Choice& choice, const Machine& machine,
                                  const Wishes& wishes) {
  RunClusterOptions cluster;
  cluster.teachers = Teachers(wishes);
  JobSpec spec = choice.spec;
  ResourceSpec* const resources = spec.mutable_resources();
  cluster.shares = ShareCores(machine.cores, resources->num_ranks(), static_cast<int>(cluster.teachers.size()));
  if (!resources->has_threads_per_rank()) resources->set_threads_per_rank(cluster.shares.threads_per_rank);
  cluster.shares.threads_per_rank = resources->threads_per_rank();
  const auto resolved = ResolveJobSpec(spec);
  if (!resolved.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("what was chosen cannot be trained here: ", resolved.status().message()));
  }
  const double step = static_cast<double>(resolved->data().global_batch()) / choice.images_per_second;
  const double seconds = std::max(kStepsProbed * step,
                                  std::clamp(60 * wishes.minutes * kProbeShare, kProbeLeastSeconds, kProbeMostSeconds));
  const auto probe = RunProbe(*resolved, cluster, absl::Seconds(seconds), flags.channels);
  if (!absl::IsDeadlineExceeded(probe.status())) return probe;
  return RunProbe(*resolved, cluster, absl::Seconds(kLongerProbe * seconds), flags.channels);
}

// Chooses by the assumed pace, measures it, and chooses anew by what was measured.
absl::StatusOr<Choice> ChooseByProbe(const RunFlags& flags, const Survey& survey, const Wishes& wishes, std::FILE* says,
                                     absl::Time began) {
  ASSIGN_OR_RETURN(const Machine machine, LookAtMachine());
  Pace pace;
  ASSIGN_OR_RETURN(Choice choice, Choose(survey, machine, wishes, pace));
  Say(says, FoundLines(survey));  // not before: what is refused is refused in one sentence
  int tried = -1;
  for (int probe = 0; probe < kProbes && choice.size_number != tried; ++probe) {
    Print(says, absl::StrCat("trying ", choice.size.name, " at ", choice.size.width_px, " x ", choice.size.height_px,
                             " px for some seconds, to measure how fast it trains\n"));
    ASSIGN_OR_RETURN(const Probe measured, ProbeChoice(flags, choice, machine, wishes));
    tried = choice.size_number;
    pace.images_per_second = measured.images_per_second;
    pace.flops_per_second = measured.images_per_second * choice.image_flops;
    pace.start_seconds = measured.start_seconds;
    pace.spent_seconds = absl::ToDoubleSeconds(Clock::Real()->Now() - began);
    if (probe == kProbes - 1) pace.sizes = tried + 1;
    ASSIGN_OR_RETURN(choice, Choose(survey, machine, wishes, pace));
  }
  return choice;
}

// What the second call of a folder asks for must be what the first one did.
absl::Status CheckSame(const RunFlags& flags, const JobSpec& spec, const std::string& path) {
  std::vector<std::string> others;
  const auto compare = [&](const std::string& flag, const std::string& asked, const std::string& written) {
    if (asked == written) return;
    others.push_back(absl::StrCat(flag, " was ", written.empty() ? "not given" : ToText(written)));
  };
  compare("--data", Absolute(flags.data), spec.data().path());
  compare("--from", flags.from.empty() ? "" : Absolute(flags.from), spec.init_weights());
  const std::string& evaluate = flags.evaluation.evaluate;
  compare("--evaluate", evaluate.empty() ? "" : Absolute(evaluate), spec.evaluation().path());
  const bool mimics = spec.objective_size() > 0 && spec.objective(0).has_mimic();
  if (flags.distill.empty() == mimics) others.push_back(mimics ? "--distill was given" : "--distill was not given");
  if (others.empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("--out ", ToText(flags.out), " holds another run (", ToText(path), "): ",
                                               absl::StrJoin(others, "; "), "; take another folder for this one"));
}

// The flags of a run of the recipe `spec` at `path`, which says all that these flags say.
RunFlags OfRecipe(RunFlags flags, const JobSpec& spec, const std::string& path) {
  flags.recipe = path;
  if (!flags.distill.empty()) {
    for (const std::string& name : TeacherNames(spec)) flags.teachers.push_back(absl::StrCat(name, "=", flags.distill));
  }
  flags.data.clear();
  flags.evaluation = {};
  flags.from.clear();
  flags.distill.clear();
  flags.workers = 0;
  flags.minutes = 0;
  return flags;
}

}  // namespace

absl::Status CheckAutoFlags(const RunFlags& flags) {
  std::vector<std::string> problems;
  if (!flags.recipe.empty()) {
    if (flags.minutes > 0) {
      problems.push_back("--minutes goes with --data alone; a RECIPE says how long: --set schedule.epochs=N");
    }
    if (!flags.from.empty()) problems.push_back("--from goes with --data alone; with a RECIPE use --init");
    if (!flags.distill.empty()) {
      problems.push_back("--distill goes with --data alone; with a RECIPE that mimics use --teacher NAME=WEIGHTS");
    }
  } else {
    if (flags.data.empty()) problems.push_back("give a RECIPE, or --data PHOTOS to have one chosen for these photos");
    if (!flags.init.empty()) problems.push_back("--init goes with a RECIPE; without one use --from");
    if (!flags.teachers.empty()) problems.push_back("--teacher goes with a RECIPE; without one use --distill");
    if (flags.minutes != 0 && !(flags.minutes > 0 && flags.minutes <= kMinutesMost)) {
      problems.push_back(absl::StrCat("--minutes ", flags.minutes, " is not above 0 and at most ", kMinutesMost));
    }
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrJoin(problems, "\n"));
}

namespace {

absl::StatusOr<Choice> LookAndChoose(const RunFlags& flags, std::FILE* says) {
  const absl::Time began = Clock::Real()->Now();
  for (const auto& [flag, path] :
       {std::make_pair("--data", flags.data), std::make_pair("--from", flags.from),
        std::make_pair("--distill", flags.distill), std::make_pair("--evaluate", flags.evaluation.evaluate)}) {
    RETURN_IF_ERROR(CheckPath(flag, path));
  }
  RETURN_IF_ERROR(CheckTemporaryFolder());
  Wishes wishes;
  wishes.minutes = Minutes(flags);
  wishes.ranks = flags.workers;
  if (!flags.evaluation.evaluate.empty()) wishes.evaluation_path = Absolute(flags.evaluation.evaluate);
  if (!flags.from.empty()) {
    ASSIGN_OR_RETURN(wishes.start, DescribeWeights("--from", Absolute(flags.from)));
  }
  if (!flags.distill.empty()) {
    ASSIGN_OR_RETURN(wishes.teacher, DescribeWeights("--distill", Absolute(flags.distill)));
  }
  auto survey = SurveyWithHoldOut(flags, Absolute(flags.data), &wishes.hold_out);
  RETURN_IF_ERROR(OfFlag("--data", flags.data, survey.status()));
  survey->path = Absolute(flags.data);
  RETURN_IF_ERROR(CheckPhotos(*survey));
  RETURN_IF_ERROR(CheckJudges(flags, *survey, wishes.hold_out));
  ASSIGN_OR_RETURN(Choice choice, ChooseByProbe(flags, *survey, wishes, says, began));
  Say(says, choice.reasons);
  return choice;
}

}  // namespace

absl::StatusOr<Choice> MakeChoice(const RunFlags& flags, std::FILE* says) {
  absl::StatusOr<Choice> choice = LookAndChoose(flags, says);
  if (!absl::IsCancelled(choice.status())) return choice;
  return absl::CancelledError(
      "stopped while the recipe was being chosen: nothing was begun, and the same command begins again");
}

std::string ChoiceCommand(const std::string& verb, const RunFlags& flags) {
  std::string text = absl::StrCat("mimeo ", verb, " --data ", ShellWord(flags.data), " --minutes ", Minutes(flags));
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) absl::StrAppend(&text, " ", flag, " ", ShellWord(value));
  };
  add("--from", flags.from);
  add("--distill", flags.distill);
  add("--evaluate", flags.evaluation.evaluate);
  if (flags.evaluation.hold_out) absl::StrAppend(&text, " --hold_out ", *flags.evaluation.hold_out);
  return text;
}

absl::StatusOr<RunFlags> WithRecipe(const RunFlags& flags) {
  RETURN_IF_ERROR(CheckAutoFlags(flags));
  if (!flags.recipe.empty()) return flags;
  std::FILE* const says = flags.json ? stderr : stdout;
  const std::string path = JoinPath(Absolute(flags.out), "recipe.textproto");
  if (FileExists(path)) {
    ASSIGN_OR_RETURN(const JobSpec spec, ReadRecipe(path));
    RETURN_IF_ERROR(CheckSame(flags, spec, path));
    Print(says, absl::StrCat("recipe: ", ToText(path), ", as it was chosen before; another --out chooses anew\n"));
    return OfRecipe(flags, spec, path);
  }
  RETURN_IF_ERROR(CheckOutputFolder("--out", Absolute(flags.out)));
  const std::string job = JoinPath(Absolute(flags.out), "job.textproto");
  if (FileExists(job)) {
    return absl::AlreadyExistsError(absl::StrCat("--out ", ToText(flags.out), " holds the run of a recipe (see ",
                                                 ToText(job), "); take another folder, or that RECIPE to continue it"));
  }
  ASSIGN_OR_RETURN(const Choice choice, MakeChoice(flags, says));
  RETURN_IF_ERROR(MakeDirs(Absolute(flags.out)));
  RETURN_IF_ERROR(WriteFileAtomic(path, ChosenRecipeText(choice, ChoiceCommand("run", flags))));
  return OfRecipe(flags, choice.spec, path);
}

}  // namespace mimeo
