// The numbers of a job as rows of named values, whoever has them: a coordinator, or the folder of a run. What writes
// them for other programs (CSV, TensorBoard) is made of these rows. Pure but for reading files.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/metrics.pb.h"

namespace mimeo {

struct MetricRow {
  int64_t step = 0;
  double time = 0;  // seconds since 1970; 0: unknown
  bool is_evaluation = false;
  // Names and values, in the order of metrics.jsonl. Those of an evaluation begin with "evaluation/". A value that was
  // not finite is NaN.
  std::vector<std::pair<std::string, double>> values;
};

MetricRow RowOf(const StepMetrics& step);
MetricRow RowOf(const EvaluationResult& evaluation);

// The rows of a run's folder, or of its metrics.jsonl with the evaluations.jsonl beside it: by step, and of one step
// the training before the evaluation. A last line that has no end yet is left out, so a run that lasts may be read.
// Where a step stands there twice, the later line counts. NotFound: there is no metrics.jsonl. InvalidArgument names
// the line that is none of ours.
absl::StatusOr<std::vector<MetricRow>> ReadMetricRows(const std::string& path);

// One line for each step, with a header. The columns are: step, time, the numbers of every step in the order of
// metrics.jsonl, then losses of objectives, statistics and evaluations by name. A number that a step has not is empty.
std::string CsvText(const std::vector<MetricRow>& rows);

}  // namespace mimeo
