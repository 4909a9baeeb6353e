// What an encoder is worth beside others on the same images: k-NN and a linear probe of each of them, and the paired
// differences. One thread.
//
// The definitions are those of a job and of `mimeo evaluate`: the mean patch token, k nearest neighbours, a probe whose
// penalty is chosen on a fifth of the bank. Nothing is chosen on the images that are judged.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "evaluation/answers.h"
#include "evaluation/knn.h"
#include "evaluation/labelled_features.h"
#include "evaluation/paired_difference.h"

namespace mimeo {

// What the features of one encoder (or of none) say of the judged images.
struct ComparedRow {
  std::string name;
  Answers knn;
  std::optional<Answers> probe;  // absent: the bank has fewer than kFewestBankRows rows (evaluation/linear_probe.h)
};
// Measures the mean patch tokens of `split`. The errors are those of ClassifyByNeighbours and ProbeLinearly, and begin
// with the name of the row.
absl::StatusOr<ComparedRow> MeasureRow(const std::string& name, const LabelledSplit& split, const KnnOptions& options);

// How much better or worse the first row is than another one, by one measure.
struct RowDifference {
  std::string of;
  std::string against;
  std::string measure;  // "knn" or "probe"
  PairedDifference found;
};
// Of the first row against each of the others, by either measure. REQUIRES: all rows answer for the same images.
std::vector<RowDifference> DifferencesOfFirst(const std::vector<ComparedRow>& rows);

}  // namespace mimeo
