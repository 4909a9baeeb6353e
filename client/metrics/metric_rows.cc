#include "client/metrics/metric_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "client/metrics_json.h"

namespace mimeo {
namespace {

constexpr absl::string_view kEvaluation = "evaluation/";
constexpr int64_t kFileBytes = int64_t{4} << 30;

// One object of numbers. Empty: it is none.
absl::StatusOr<MetricRow> RowOfLine(absl::string_view line, absl::string_view prefix) {
  const auto json = nlohmann::ordered_json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("step") || !json["step"].is_number_integer()) {
    return absl::InvalidArgumentError("no object of a step's numbers");
  }
  MetricRow row;
  row.is_evaluation = !prefix.empty();
  for (const auto& [name, value] : json.items()) {
    const double number = value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
    if (name == "step") {
      row.step = value.get<int64_t>();
    } else if (name == "time") {
      row.time = value.is_number() ? number : 0;
    } else {
      row.values.emplace_back(absl::StrCat(prefix, name), number);
    }
  }
  return row;
}

absl::Status ReadLines(const std::string& path, absl::string_view prefix, std::map<int64_t, MetricRow>* rows) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kFileBytes));
  const absl::string_view whole = absl::string_view(text).substr(0, text.rfind('\n') + 1);
  int64_t number = 0;
  for (const absl::string_view line : absl::StrSplit(whole, '\n')) {
    ++number;
    if (line.empty()) continue;
    const absl::StatusOr<MetricRow> row = RowOfLine(line, prefix);
    if (!row.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(ToText(path), ":", number, ": ", row.status().message()));
    }
    (*rows)[row->step] = *row;
  }
  return absl::OkStatus();
}

// Where a column stands: those of every step first, as they come, then by name within its kind.
int Kind(const std::string& name) {
  if (absl::StartsWith(name, kEvaluation)) return 3;
  if (absl::StartsWith(name, "stat/")) return 2;
  return absl::StartsWith(name, "loss/") ? 1 : 0;
}

std::vector<std::string> ColumnsOf(const std::vector<MetricRow>& rows) {
  std::set<std::string> known;
  std::vector<std::string> columns;
  for (const MetricRow& row : rows) {
    for (const auto& [name, value] : row.values) {
      if (known.insert(name).second) columns.push_back(name);
    }
  }
  std::stable_sort(columns.begin(), columns.end(), [](const std::string& a, const std::string& b) {
    if (Kind(a) != Kind(b)) return Kind(a) < Kind(b);
    return Kind(a) != 0 && a < b;
  });
  return columns;
}

// As RFC 4180 has it. A name of an objective may have a comma.
std::string Cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string Number(double value) {
  if (std::isnan(value)) return "nan";
  std::string shortest = absl::StrFormat("%.15g", value);
  double again = 0;
  return absl::SimpleAtod(shortest, &again) && again == value ? shortest : absl::StrFormat("%.17g", value);
}

}  // namespace

MetricRow RowOf(const StepMetrics& step) { return RowOfLine(StepJson(step), "").value_or(MetricRow()); }

MetricRow RowOf(const EvaluationResult& evaluation) {
  return RowOfLine(EvaluationJson(evaluation), kEvaluation).value_or(MetricRow());
}

absl::StatusOr<std::vector<MetricRow>> ReadMetricRows(const std::string& path) {
  const std::string folder = IsDirectory(path) ? path : path.substr(0, path.rfind('/') + 1);
  const std::string steps_path = IsDirectory(path) ? JoinPath(path, "metrics.jsonl") : path;
  std::map<int64_t, MetricRow> steps, evaluations;
  RETURN_IF_ERROR(ReadLines(steps_path, "", &steps));
  const std::string evaluations_path = JoinPath(folder, "evaluations.jsonl");
  if (FileExists(evaluations_path)) RETURN_IF_ERROR(ReadLines(evaluations_path, kEvaluation, &evaluations));
  std::vector<MetricRow> rows;
  rows.reserve(steps.size() + evaluations.size());
  for (auto& [step, row] : steps) rows.push_back(std::move(row));
  for (auto& [step, row] : evaluations) rows.push_back(std::move(row));
  std::stable_sort(rows.begin(), rows.end(), [](const MetricRow& a, const MetricRow& b) { return a.step < b.step; });
  return rows;
}

std::string CsvText(const std::vector<MetricRow>& rows) {
  const std::vector<std::string> columns = ColumnsOf(rows);
  std::map<std::string, size_t> places;
  std::string text = "step,time";
  for (size_t i = 0; i < columns.size(); ++i) {
    places[columns[i]] = i;
    absl::StrAppend(&text, ",", Cell(columns[i]));
  }
  text.push_back('\n');
  std::map<int64_t, std::pair<double, std::vector<std::string>>> lines;
  for (const MetricRow& row : rows) {
    auto& [time, cells] = lines[row.step];
    cells.resize(columns.size());
    if (time == 0) time = row.time;
    for (const auto& [name, value] : row.values) cells[places[name]] = Number(value);
  }
  for (const auto& [step, line] : lines) {
    absl::StrAppend(&text, step, ",", line.first == 0 ? "" : Number(line.first));
    for (const std::string& cell : line.second) absl::StrAppend(&text, ",", cell);
    text.push_back('\n');
  }
  return text;
}

}  // namespace mimeo
