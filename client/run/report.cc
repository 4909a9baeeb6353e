#include "client/run/report.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/print.h"
#include "client/evaluation_summary.h"
#include "client/run/curve.h"
#include "client/utilization_text.h"
#include "job/data_text.h"
#include "job/job_shape.h"

namespace mimeo {
namespace {

constexpr absl::string_view kStyle = R"(<style>
:root{color-scheme:light dark;--ink:#1d2329;--dim:#66707a;--line:#d5dae0;--ground:#fff;--card:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--dim:#98a2ad;--line:#39424c;--ground:#14181c;--card:#1c2228}}
body{overflow-wrap:anywhere;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);max-width:1000px;margin:2em auto;padding:0 1.2em}
h1{font-size:1.6em;margin:0}h2{font-size:1.1em;margin:2em 0 .6em;border-bottom:1px solid var(--line);padding-bottom:.2em}
p.dim,figcaption,th{color:var(--dim)}figure{margin:0;background:var(--card);border-radius:8px;padding:.6em .8em}
figcaption{font-size:.85em}.key{white-space:nowrap}svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--dim)}svg .axis{fill:none;stroke:var(--line)}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(300px,100%),1fr));gap:12px}.grid img{width:100%;image-rendering:pixelated;border-radius:4px}
img,svg{max-width:100%}.wide{overflow-x:auto}table{overflow-wrap:normal;border-collapse:collapse;width:100%}th,td{text-align:right;padding:.25em .8em;border-bottom:1px solid var(--line)}th:first-child,td:first-child{text-align:left}
td{font-variant-numeric:tabular-nums}pre{background:var(--card);padding:1em;border-radius:8px;overflow:auto;font-size:12.5px}
</style>)";

std::string Facts(const RunReport& report) {
  const int64_t images = report.steps.empty() ? 0 : report.steps.back().images();
  std::vector<double> rates;
  for (const StepMetrics& step : report.steps) rates.push_back(step.images_per_second());
  std::sort(rates.begin(), rates.end());
  double training = 0, data_wait = 0, teacher_wait = 0;
  int64_t images_before = 0;
  for (const StepMetrics& step : report.steps) {
    if (step.images_per_second() > 0) {
      training += static_cast<double>(step.images() - images_before) / step.images_per_second();
    }
    images_before = step.images();
    data_wait += step.data_wait_seconds();
    teacher_wait += step.teacher_wait_seconds();
  }
  return absl::StrFormat(
      "<p class=\"dim\">%s, %s: %.0f s of training, at a median of %.0f images/s. %sRank 0 waited %.1f s "
      "for images%s. %s.</p>",
      Counted(static_cast<int64_t>(report.steps.size()), "step"), Counted(images, "image"), training,
      rates.empty() ? 0.0 : rates[rates.size() / 2],
      report.seconds > 0
          ? absl::StrFormat("With the start of its processes and evaluation the last session of this run "
                            "took %.0f s. ",
                            report.seconds)
          : "",
      data_wait,
      TeacherNames(report.job.spec()).empty() ? "" : absl::StrFormat(" and %.1f s for its teacher", teacher_wait),
      EscapeHtml(report.machine));
}

// What was trained: the terms of the loss and the encoder. A method is their sum, and has no other name here.
std::string MethodText(const JobSpec& spec) {
  std::vector<std::string> terms;
  for (const ObjectiveSpec& objective : spec.objective()) {
    const auto* const kind = ObjectiveSpec::GetReflection()->GetOneofFieldDescriptor(
        objective, ObjectiveSpec::GetDescriptor()->FindOneofByName("kind"));
    if (kind == nullptr) continue;
    const std::string& name = objective.name();
    terms.push_back(name.empty() || name == kind->name() ? kind->name() : absl::StrCat(kind->name(), " (", name, ")"));
  }
  if (terms.empty()) return "";
  return absl::StrCat("<p>Method: ", EscapeHtml(absl::StrJoin(terms, " + ")), ", ", spec.data().image_px(),
                      " px, batches of ", spec.data().global_batch(), ".</p>");
}

std::string VerdictLines(const std::vector<std::string>& verdict) {
  std::string html;
  for (const std::string& line : verdict) absl::StrAppend(&html, "<p>", EscapeHtml(line), "</p>");
  return verdict.empty() ? "" : absl::StrCat("<h2>What it is worth</h2>", html);
}

// What the data sets leave out.
std::string DataLeftOut(const Job& job) {
  std::string lines;
  for (const DataContents& data : job.data()) {
    for (const std::string& line : DataLines(data)) absl::StrAppend(&lines, "<li>", EscapeHtml(line), "</li>");
  }
  return lines.empty() ? "" : absl::StrCat("<h2>Data that is left out</h2><ul>", lines, "</ul>");
}

// A chart for each statistic, with a line for each objective that has it, and for the encoder; a step need not have all
// of them.
std::string Watched(const std::vector<StepMetrics>& steps) {
  std::map<std::string, std::map<std::string, Curve>> charts;  // by statistic, by whose
  for (const StepMetrics& step : steps) {
    for (const auto& [path, value] : step.stats()) {
      const std::pair<std::string, std::string> parts = absl::StrSplit(path, absl::MaxSplits('/', 1));
      Curve& series = charts[parts.second][parts.first];
      series.name = parts.first;
      series.points.emplace_back(static_cast<double>(step.step()), value);
    }
  }
  if (charts.empty()) return "";
  std::string html =
      "<h2>Watched for collapse</h2><p class=\"dim\">An encoder that gives all images one feature has an embedding_std "
      "near 0, an effective_rank near 1 and a uniformity near 0, however well its losses look.</p><div class=\"grid\">";
  for (const auto& [stat, lines] : charts) {
    std::vector<Curve> all;
    for (const auto& [whose, series] : lines) all.push_back(series);
    // Of several lines the legend says whose they are.
    absl::StrAppend(&html, CurveSvg(all.size() == 1 ? absl::StrCat(all[0].name, "/", stat) : stat, "step", all));
  }
  return html + "</div>";
}

std::string Curves(const std::vector<StepMetrics>& steps) {
  Curve loss{"weighted sum", {}}, rate{"learning rate", {}}, speed{"images/s", {}}, norm{"gradient norm", {}};
  std::map<std::string, Curve> terms;
  for (const StepMetrics& step : steps) {
    const double x = static_cast<double>(step.step());
    loss.points.emplace_back(x, step.loss());
    rate.points.emplace_back(x, step.learning_rate());
    speed.points.emplace_back(x, step.images_per_second());
    norm.points.emplace_back(x, step.grad_norm());
    for (const auto& [name, value] : step.terms()) terms[name].points.emplace_back(x, value);
  }
  std::vector<Curve> losses;
  if (terms.size() > 1) losses.push_back(loss);
  for (auto& [name, series] : terms) {
    series.name = name;
    losses.push_back(series);
  }
  return absl::StrCat("<div class=\"grid\">", CurveSvg("Training loss", "step", losses),
                      CurveSvg("Gradient norm", "step", {norm}), CurveSvg("Learning rate", "step", {rate}),
                      CurveSvg("Images per second", "step", {speed}), "</div>");
}

// What steps' time went into, as `mimeo show` says of one, and the newest step in its words.
std::string DeviceUse(const std::vector<StepMetrics>& steps) {
  Curve compute{"compute", {}}, communication{"communication", {}}, images{"images", {}}, teacher{"teacher", {}},
      gflops{"GFLOP/s", {}};
  const Utilization* newest = nullptr;
  for (const StepMetrics& step : steps) {
    if (!step.has_utilization()) continue;
    const double x = static_cast<double>(step.step());
    newest = &step.utilization();
    compute.points.emplace_back(x, ComputeSeconds(*newest));
    communication.points.emplace_back(x, newest->communication_seconds());
    images.points.emplace_back(x, newest->data_wait_seconds());
    teacher.points.emplace_back(x, newest->teacher_wait_seconds());
    gflops.points.emplace_back(x, newest->gflop_per_second());
  }
  if (newest == nullptr) return "";
  return absl::StrCat(
      "<h2>What the device made of it</h2><p class=\"dim\">Rank 0, at the end: ", EscapeHtml(UtilizationText(*newest)),
      ".</p><div class=\"grid\">", CurveSvg("Seconds of a step", "step", {compute, communication, images, teacher}),
      CurveSvg("GFLOP/s", "step", {gflops}), "</div>");
}

std::string Evaluations(const std::vector<EvaluationResult>& evaluations, StartKind start) {
  std::set<std::string> names;
  for (const EvaluationResult& evaluation : evaluations) {
    for (const auto& [name, value] : evaluation.values()) names.insert(name);
  }
  std::string html = "<div class=\"wide\"><table><tr><th>held-out images</th>";
  for (const EvaluationResult& evaluation : evaluations) {
    absl::StrAppend(&html, "<th>", evaluation.step() == 0 ? StartRow(start) : absl::StrCat("step ", evaluation.step()),
                    "</th>");
  }
  absl::StrAppend(&html, "</tr>");
  for (const std::string& name : names) {
    absl::StrAppend(&html, "<tr><td>", EscapeHtml(name), "</td>");
    for (const EvaluationResult& evaluation : evaluations) {
      const auto value = evaluation.values().find(name);
      absl::StrAppend(&html, "<td>", value == evaluation.values().end() ? "" : absl::StrFormat("%.4g", value->second),
                      "</td>");
    }
    absl::StrAppend(&html, "</tr>");
  }
  return absl::StrCat(
      html,
      "</table></div><p class=\"dim\">knn: share of held-out images that their nearest labelled neighbours classify "
      "rightly. "
      "A few minutes of masked autoencoding need not beat k-NN on raw pixels. held_out_loss: 1 is what predicting "
      "every "
      "patch's mean gives, where patches are normalised.</p>");
}

bool NormalizesPatches(const JobSpec& spec) {
  return std::any_of(spec.objective().begin(), spec.objective().end(),
                     [](const ObjectiveSpec& objective) { return objective.reconstruction().normalize_patches(); });
}

std::string Reconstructions(const RunReport& report) {
  if (report.reconstructions.empty()) return "";
  std::string html = absl::StrCat(
      "<h2>Reconstructions</h2><p class=\"dim\">", report.reconstructions_held_out ? "Held-out" : "Training",
      " image, what the encoder saw, what the decoder made of it.",
      NormalizesPatches(report.job.spec())
          ? " The decoder was trained on normalised patches: each hidden patch is drawn with its true mean and "
            "contrast, as is usual for MAE; what lies within it is predicted."
          : "",
      "</p><div class=\"grid\">");
  for (const auto& [name, png] : report.reconstructions) {
    absl::StrAppend(&html, "<figure><img alt=\"", EscapeHtml(name), "\" src=\"data:image/png;base64,",
                    absl::Base64Escape(png), "\"></figure>");
  }
  return html + "</div>";
}

}  // namespace

std::string HtmlReport(const RunReport& report) {
  const std::string name = EscapeHtml(report.job.spec().name());
  return absl::StrCat(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>",
      name, " - Mimeo</title>", kStyle, "</head><body><h1>", name, "</h1>", MethodText(report.job.spec()),
      Facts(report), VerdictLines(report.verdict), "<h2>Training</h2>", Curves(report.steps), Watched(report.steps),
      report.evaluations.empty() ? ""
                                 : "<h2>Evaluation</h2>" + Evaluations(report.evaluations, StartOf(report.job.spec())),
      DataLeftOut(report.job), Reconstructions(report), DeviceUse(report.steps),
      "<h2>The job, every default written out</h2><pre>", EscapeHtml(report.job_text), "</pre></body></html>\n");
}

}  // namespace mimeo
