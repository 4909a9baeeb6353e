#include "client/run/run_results.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/find_binary.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "client/auto/judge_run.h"
#include "client/metrics_json.h"
#include "client/run/log_tail.h"
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
  return absl::InternalError(absl::StrCat("worker ", verb, " ", ended.ToString(), "; its log ",
                                          ToText(tool.output_path), " ends:", LogTail(tool.output_path)));
}

// Of the whole run, each step once: while it ran a step may have been written twice.
absl::Status WriteMetrics(const RunPlan& plan, const RunResults& results) {
  std::string steps, evaluations;
  for (const StepMetrics& step : results.steps) absl::StrAppend(&steps, StepJson(step), "\n");
  for (const EvaluationResult& evaluation : results.evaluations) {
    absl::StrAppend(&evaluations, EvaluationJson(evaluation), "\n");
  }
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(plan.out, "metrics.jsonl"), steps));
  return WriteFileAtomic(JoinPath(plan.out, "evaluations.jsonl"), evaluations);
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

// "Intel(R) Xeon(R) CPU @ 2.20GHz, ", or nothing where Linux does not say.
std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (absl::StartsWith(line, "model name") && colon != std::string::npos) return line.substr(colon + 2) + ", ";
  }
  return "";
}

bool Reconstructs(const JobSpec& spec) {
  return std::any_of(spec.objective().begin(), spec.objective().end(),
                     [](const ObjectiveSpec& objective) { return objective.has_reconstruction(); });
}

// Hugging Face's layout where it holds the encoder; MCMAE's has names of its own alone.
absl::Status ExportEncoders(const RunPlan& plan, const std::string& checkpoint) {
  const std::string layout = plan.spec.encoder().has_conv_vit() ? "mcmae" : "hf";
  RETURN_IF_ERROR(
      RunTool(plan, {"export", "--checkpoint", checkpoint, "--to", layout, "--out", JoinPath(plan.out, "encoder")}));
  if (!plan.spec.has_ema()) return absl::OkStatus();
  return RunTool(plan, {"export", "--checkpoint", checkpoint, "--to", layout, "--average", "--out",
                        JoinPath(plan.out, "encoder_average")});
}

}  // namespace

absl::Status WriteRunResults(const RunPlan& plan, const RunResults& results, const std::string& checkpoint) {
  RETURN_IF_ERROR(WriteMetrics(plan, results));
  const std::string model = JoinPath(plan.out, "checkpoint.safetensors");
  RETURN_IF_ERROR(RunTool(plan, {"export", "--checkpoint", checkpoint, "--to", "safetensors", "--out", model}));
  RETURN_IF_ERROR(ExportEncoders(plan, checkpoint));
  if (!Reconstructs(plan.spec)) return absl::OkStatus();
  const EvaluationSpec& evaluation = plan.spec.evaluation();
  const std::string& images = evaluation.has_path() ? evaluation.path() : plan.spec.data().path();
  return RunTool(
      plan, {"reconstruct", "--weights", model, "--images", images, "--hold_out", absl::StrCat(evaluation.hold_out()),
             "--out", JoinPath(plan.out, "reconstructions"), "--count", absl::StrCat(kReconstructions)});
}

absl::Status WriteRunReport(const RunPlan& plan, const RunResults& results) {
  RunReport report;
  if (Reconstructs(plan.spec)) {
    const EvaluationSpec& evaluation = plan.spec.evaluation();
    report.reconstructions_held_out = evaluation.has_path() || evaluation.hold_out() > 0;
    report.reconstructions = ReadPngs(JoinPath(plan.out, "reconstructions"));
  }
  report.job = results.job;
  report.job_text = plan.text;
  report.steps = results.steps;
  report.evaluations = results.evaluations;
  report.machine = absl::StrCat(CpuName(), plan.cluster.shares.ToString());
  report.seconds = results.seconds;
  report.verdict = ReadVerdict(plan.out).lines;
  return WriteFileAtomic(JoinPath(plan.out, "report.html"), HtmlReport(report));
}

}  // namespace mimeo
