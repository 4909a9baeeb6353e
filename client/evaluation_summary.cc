#include "client/evaluation_summary.h"

#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/print.h"
#include "base/text.h"

namespace mimeo {
namespace {

using Values = std::map<std::string, double>;

constexpr char kAccuracy[] = "knn_accuracy";
constexpr absl::string_view kHeldOut = "held_out_loss/";
constexpr absl::string_view kTeacher = "knn_teacher/";

Values ValuesOf(const EvaluationResult& evaluation) { return {evaluation.values().begin(), evaluation.values().end()}; }

// What stands behind the prefix of the names that have it, with the value.
std::vector<std::pair<std::string, double>> Named(const Values& values, absl::string_view prefix) {
  std::vector<std::pair<std::string, double>> found;
  for (const auto& [name, value] : values) {
    if (absl::StartsWith(name, prefix)) found.emplace_back(ToText(absl::StripPrefix(name, prefix)), value);
  }
  return found;
}

// What the encoder's accuracy is to be compared with: titles and values.
std::vector<std::pair<std::string, double>> Baselines(const Values& values) {
  std::vector<std::pair<std::string, double>> found;
  const auto add = [&](const std::string& title, const std::string& name) {
    const auto value = values.find(name);
    if (value != values.end()) found.emplace_back(title, value->second);
  };
  add("raw pixels", "knn_raw_pixels");
  add("most frequent class", "majority_rate");
  return found;
}

// The same images and votes with the other encoders of the job.
std::vector<std::pair<std::string, double>> OtherEncoders(const Values& values) {
  std::vector<std::pair<std::string, double>> found;
  const auto average = values.find("ema_knn_accuracy");
  if (average != values.end()) found.emplace_back("its average", average->second);
  for (const auto& [of, value] : Named(values, kTeacher)) found.emplace_back(absl::StrCat("teacher of ", of), value);
  return found;
}

// k-NN of the encoder and of everything to judge it by, one under the other. `before`: of what it began with, or empty.
std::string Accuracies(const Values& before, const Values& after, int64_t steps, StartKind start) {
  if (after.count(kAccuracy) == 0) return "";
  std::string text = "k-NN accuracy on held-out images\n";
  const auto add = [&](const std::string& title, double value) {
    absl::StrAppendFormat(&text, "  %-28s %.3f\n", title, value);
  };
  add(absl::StrCat("encoder, after ", Counted(steps, "step")), after.at(kAccuracy));
  for (const auto& [title, value] : OtherEncoders(after)) add(title, value);
  if (before.count(kAccuracy) > 0) add(StartRow(start), before.at(kAccuracy));
  for (const auto& [title, value] : Baselines(after)) add(title, value);
  return text;
}

}  // namespace

StartKind StartOf(const JobSpec& spec) { return spec.has_init_weights() ? StartKind::kWeights : StartKind::kUntrained; }

std::string StartRow(StartKind start) {
  return start == StartKind::kWeights ? "weights it started from" : "untrained encoder";
}

std::string EvaluationLine(const EvaluationResult& evaluation, StartKind start) {
  const Values values = ValuesOf(evaluation);
  std::vector<std::string> parts;
  const auto accuracy = values.find(kAccuracy);
  if (accuracy != values.end()) {
    std::vector<std::pair<std::string, double>> others = OtherEncoders(values);
    for (const auto& baseline : Baselines(values)) others.push_back(baseline);
    std::vector<std::string> compared;
    compared.reserve(others.size());
    for (const auto& [title, value] : others) compared.push_back(absl::StrFormat("%s %.1f %%", title, 100 * value));
    parts.push_back(absl::StrFormat("k-NN is right for %.1f %% of the held-out images", 100 * accuracy->second));
    if (!compared.empty()) absl::StrAppend(&parts.back(), " (", absl::StrJoin(compared, ", "), ")");
  }
  for (const auto& [of, value] : Named(values, kHeldOut)) {
    parts.push_back(absl::StrFormat("held-out loss of %s %.3f", of, value));
  }
  const std::string what = evaluation.step() == 0 ? absl::StrCat("evaluation of the ", StartRow(start))
                                                  : absl::StrCat("evaluation at step ", evaluation.step());
  return parts.empty() ? what : absl::StrCat(what, ": ", absl::StrJoin(parts, "; "));
}

std::string EvaluationSummary(const std::vector<EvaluationResult>& evaluations, StartKind start) {
  if (evaluations.empty()) return "";
  const EvaluationResult& last = evaluations.back();
  const bool has_before = evaluations.front().step() == 0 && last.step() != 0;
  const Values before = has_before ? ValuesOf(evaluations.front()) : Values(), after = ValuesOf(last);
  std::string text = Accuracies(before, after, last.step(), start);
  for (const auto& [of, value] : Named(after, kHeldOut)) {
    const auto began = before.find(absl::StrCat(kHeldOut, of));
    absl::StrAppend(&text, "held-out loss of ", of, ": ");
    if (began != before.end()) absl::StrAppendFormat(&text, "%.3f of the %s, ", began->second, StartRow(start));
    absl::StrAppendFormat(&text, "%.3f after %s\n", value, Counted(last.step(), "step"));
  }
  return text;
}

}  // namespace mimeo
