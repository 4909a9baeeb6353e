#include "client/auto/judge_run.h"

#include <cmath>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/json_text.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/verdict.h"
#include "client/worker_verbs/worker_json.h"

namespace mimeo {
namespace {

constexpr char kVerdictFile[] = "verdict.json";
constexpr absl::string_view kHeldOut = "held_out_loss/";
// Any change of the loss that is smaller than this share of it is noise of crops and masks.
constexpr double kLossNoise = 0.01;

using Values = std::map<std::string, double>;

Values ValuesOf(const EvaluationResult& evaluation) { return {evaluation.values().begin(), evaluation.values().end()}; }

// Whether photos with labels were among those that judge.
bool HasLabels(const std::vector<EvaluationResult>& evaluations) {
  return !evaluations.empty() && evaluations.back().values().count("knn_accuracy") > 0;
}

std::string EncoderPath(const RunPlan& plan) { return JoinPath(plan.out, "encoder"); }

std::vector<std::string> CompareArguments(const RunPlan& plan) {
  const EvaluationSpec& evaluation = plan.spec.evaluation();
  std::vector<std::string> args = {"compare", "--weights", EncoderPath(plan), "--job",
                                   JoinPath(plan.out, "job.textproto")};
  if (evaluation.has_path() && !evaluation.path().empty()) {
    const std::string bank = evaluation.bank_path().empty() ? plan.spec.data().path() : evaluation.bank_path();
    args.insert(args.end(), {"--data", evaluation.path(), "--bank", bank});
  } else {
    args.insert(args.end(), {"--data", plan.spec.data().path(), "--hold_out", absl::StrCat(evaluation.hold_out())});
  }
  for (const auto& [name, path] : plan.cluster.teachers) {
    args.insert(args.end(), {"--against", absl::StrCat(kTeacherRow, "=", path)});
  }
  if (evaluation.max_images() > 0) args.insert(args.end(), {"--max_images", absl::StrCat(evaluation.max_images())});
  return args;
}

std::string LossSentence(const std::string& name, double before, double after) {
  const double fell = before == 0 ? 0 : (before - after) / std::abs(before);
  const char* const what = fell > kLossNoise    ? "so something was learned that holds for photos that were not seen"
                           : fell < -kLossNoise ? "so what was learned does not hold for photos that were not seen"
                                                : "which is no change";
  return absl::StrFormat("The held-out loss of %s went from %.3f to %.3f, %s.", name, before, after, what);
}

}  // namespace

std::vector<std::string> VerdictWithoutLabels(const std::vector<EvaluationResult>& evaluations,
                                              const std::string& encoder_path) {
  std::vector<std::string> lines = VerdictLines(nlohmann::json(), encoder_path);
  std::vector<std::string> losses;
  if (!evaluations.empty() && evaluations.front().step() == 0 && evaluations.size() > 1) {
    const Values before = ValuesOf(evaluations.front()), after = ValuesOf(evaluations.back());
    for (const auto& [name, value] : after) {
      if (!absl::StartsWith(name, kHeldOut) || before.count(name) == 0) continue;
      losses.push_back(LossSentence(std::string(absl::StripPrefix(name, kHeldOut)), before.at(name), value));
    }
  }
  lines.insert(lines.begin() + 1, losses.begin(), losses.end());
  return lines;
}

absl::StatusOr<RunVerdict> JudgeRun(const RunPlan& plan, const std::vector<EvaluationResult>& evaluations) {
  RunVerdict verdict;
  if (HasLabels(evaluations)) {
    const auto compared =
        WorkerJson(CompareArguments(plan), JoinPath(plan.out, "logs/tools.log"), StopSignals::kLeaveToOthers);
    if (compared.ok()) {
      verdict.lines = VerdictLines(*compared, EncoderPath(plan));
      verdict.json["compare"] = *compared;
    } else {
      verdict.lines = {absl::StrCat("There is no verdict: ", ToText(compared.status().message()))};
    }
  } else {
    verdict.lines = VerdictWithoutLabels(evaluations, EncoderPath(plan));
  }
  verdict.json["lines"] = verdict.lines;
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(plan.out, kVerdictFile), JsonText(verdict.json) + "\n"));
  return verdict;
}

RunVerdict ReadVerdict(const std::string& out) {
  const auto text = ReadFile(JoinPath(out, kVerdictFile), limits::kRecipeBytes);
  auto json = nlohmann::ordered_json::parse(text.value_or(""), nullptr, /*allow_exceptions=*/false);
  RunVerdict verdict;
  if (!json.is_object() || !json.contains("lines") || !json["lines"].is_array()) return verdict;
  for (const auto& line : json["lines"]) {
    if (line.is_string()) verdict.lines.push_back(line.get<std::string>());
  }
  verdict.json = std::move(json);
  return verdict;
}

}  // namespace mimeo
