#include "client/run/run_results.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "client/metrics_json.h"
#include "client/run/report.h"

namespace mimeo {
namespace {

constexpr int kReconstructions = 8;
constexpr absl::Duration kToolPatience = absl::Hours(1);

// Runs `worker ARGS...` to its end; its words go to OUT/logs/tools.log.
absl::Status RunTool(const RunPlan& plan, std::vector<std::string> args) {
  Subprocess::Options tool;
  ASSIGN_OR_RETURN(const std::string worker, FindBinary("worker"));
  const std::string verb = args[0];
  args.insert(args.begin(), worker);
  tool.argv = std::move(args);
  tool.output_path = JoinPath(plan.out, "logs/tools.log");
  ASSIGN_OR_RETURN(const auto process, Subprocess::Start(tool));
  ASSIGN_OR_RETURN(const ExitStatus ended, process->Wait(Clock::Real()->Now() + kToolPatience));
  if (ended.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("worker ", verb, " ", ended.ToString(), "; see ", tool.output_path));
}

absl::Status WriteMetrics(const RunPlan& plan, const std::vector<StepMetrics>& steps) {
  std::string lines;
  for (const StepMetrics& step : steps) absl::StrAppend(&lines, StepJson(step), "\n");
  return WriteFileAtomic(JoinPath(plan.out, "metrics.jsonl"), lines);
}

std::vector<std::pair<std::string, std::string>> ReadPngs(const std::string& dir) {
  std::vector<std::pair<std::string, std::string>> images;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    const std::string path = entry.path().string();
    const auto bytes = absl::EndsWith(path, ".png") ? ReadFile(path) : absl::NotFoundError(path);
    if (bytes.ok()) images.emplace_back(entry.path().filename().string(), *bytes);
  }
  std::sort(images.begin(), images.end());
  return images;
}

bool Reconstructs(const JobSpec& spec) {
  return std::any_of(spec.objective().begin(), spec.objective().end(),
                     [](const ObjectiveSpec& objective) { return objective.has_reconstruction(); });
}

double ValueOf(const EvaluationResult& evaluation, const std::string& name) {
  const auto found = evaluation.values().find(name);
  return found == evaluation.values().end() ? -1 : found->second;
}

}  // namespace

absl::Status WriteRunResults(const RunPlan& plan, const RunResults& results, const std::string& checkpoint) {
  RETURN_IF_ERROR(WriteMetrics(plan, results.steps));
  const std::string model = JoinPath(plan.out, "checkpoint.safetensors");
  RETURN_IF_ERROR(RunTool(plan, {"export", "--checkpoint", checkpoint, "--to", "safetensors", "--out", model}));
  RETURN_IF_ERROR(RunTool(plan, {"export", "--checkpoint", checkpoint, "--to", "hf", "--out", JoinPath(plan.out, "encoder")}));
  RunReport report;
  if (Reconstructs(plan.spec)) {
    const std::string images = plan.spec.evaluation().has_path() ? plan.spec.evaluation().path() : plan.spec.data().path();
    const std::string dir = JoinPath(plan.out, "reconstructions");
    RETURN_IF_ERROR(RunTool(plan, {"reconstruct", "--weights", model, "--images", images, "--out", dir, "--count",
                                   absl::StrCat(kReconstructions)}));
    report.reconstructions = ReadPngs(dir);
  }
  report.job = results.job;
  report.job_text = plan.text;
  report.steps = results.steps;
  report.evaluations = results.evaluations;
  report.machine = plan.cluster.shares.ToString();
  report.seconds = results.seconds;
  return WriteFileAtomic(JoinPath(plan.out, "report.html"), HtmlReport(report));
}

std::string EvaluationSummary(const std::vector<EvaluationResult>& evaluations) {
  if (evaluations.empty()) return "";
  const EvaluationResult& first = evaluations.front();
  const EvaluationResult& last = evaluations.back();
  std::string text;
  if (ValueOf(last, "knn_accuracy") >= 0) {
    absl::StrAppendFormat(&text, "k-NN accuracy on held-out images: ");
    if (first.step() == 0 && last.step() != 0) absl::StrAppendFormat(&text, "%.3f untrained, ", ValueOf(first, "knn_accuracy"));
    absl::StrAppendFormat(&text, "%.3f after %d steps (majority class %.3f, k-NN on raw pixels %.3f: a few minutes of masked "
                                 "autoencoding need not beat raw pixels)\n",
                          ValueOf(last, "knn_accuracy"), last.step(), ValueOf(last, "majority_rate"), ValueOf(last, "knn_raw_pixels"));
  }
  for (const auto& [name, value] : last.values()) {
    if (absl::StartsWith(name, "held_out_loss/")) absl::StrAppendFormat(&text, "%s: %.3f\n", name, value);
  }
  return text;
}

}  // namespace mimeo
